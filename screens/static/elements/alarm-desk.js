import {SHELF_HOURS, asksWhy, wishes} from '../lib/alarm.js'
import {h, keyed, mark, put} from '../lib/dom.js'
import {dayClock, number, since} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'

/** One alarm and what may be done to it. Sends `wish` with {verb, reason, hours}; shelving and the like ask why first. */
export class AlarmDesk extends HTMLElement {
  #parts
  #verb = ''
  #of = null

  show({alarm, person, now, zone, busy = false}) {
    this.#parts ??= this.#build()
    const p = this.#parts
    const possible = wishes(alarm, person)
    if (this.#of !== alarm.id || (this.#verb && !possible.includes(this.#verb))) this.#open('')
    this.#of = alarm.id
    this.dataset.testid = `desk-${alarm.id}`
    mark(this, 'priority', alarm.priority)
    putIcon(p.sign, alarm.priority)
    put(p.where, say(alarm.where))
    put(p.title, say(alarm.title))
    put(p.facts, [t(`alarm.state.${alarm.state}`), reading(alarm), alarm.raised_at && since(alarm.raised_at, now, zone, t), say(alarm.owner?.name),
      alarm.latched && t('alarm.latched')].filter(Boolean).join(' · '))
    put(p.aside, asideLine(alarm, zone))
    put(p.first, say(alarm.instruction))
    keyed(p.buttons, this.#verb ? [] : possible, verb => verb, verb => this.#button(verb), button => (button.disabled = busy))
    put(p.none, possible.length || alarm.state === 'normal' ? '' : t('wish.none'))
    p.confirm.disabled = busy
  }

  #button(verb) {
    return h('button.button', {type: 'button', data: {verb, testid: `wish-${verb}`}, onclick: () => (asksWhy(verb) ? this.#open(verb) : this.#send({verb}))}, t(`wish.${verb}`))
  }

  /** Opens the form for this verb; '' closes it. */
  #open(verb) {
    const p = this.#parts
    this.#verb = verb
    p.form.hidden = !verb
    if (!verb) return void (p.reason.value = '')
    p.buttons.replaceChildren()
    p.buttons.kept?.clear()
    put(p.heading, t(`wish.${verb}`))
    p.hours.parentElement.hidden = verb !== 'shelve'
    p.reason.focus()
  }

  #send(detail) {
    this.dispatchEvent(new CustomEvent('wish', {detail, bubbles: true}))
  }

  #build() {
    const p = {
      sign: h('span.desk-sign'), where: h('span.desk-where'), title: h('b.desk-title'), facts: h('p.desk-facts', {testid: 'desk-facts'}),
      aside: h('p.desk-aside', {testid: 'desk-aside'}), first: h('p'), buttons: h('div.desk-buttons'), none: h('p.desk-where'), heading: h('h3'),
      reason: h('input', {required: true, maxLength: 500, testid: 'wish-reason'}),
      hours: h('select', {testid: 'wish-hours'}, ...SHELF_HOURS.map(n => h('option', {value: n, selected: n === 2}, n < 1 ? t('age.minutes', {n: n * 60}) : t('wish.hours', {n})))),
      confirm: h('button.button', {type: 'submit', testid: 'wish-confirm'}, t('wish.confirm')),
    }
    const cancel = h('button.plain', {type: 'button', onclick: () => this.#open('')}, t('wish.cancel'))
    p.form = h('form.desk-why', {hidden: true}, p.heading, h('label.field', h('span', t('wish.reason')), p.reason),
      h('label.field', h('span', t('wish.for')), p.hours), h('div.desk-buttons', p.confirm, cancel))
    p.form.onsubmit = event => {
      event.preventDefault()
      const reason = p.reason.value.trim()
      if (reason) this.#send({verb: this.#verb, reason, hours: Number(p.hours.value)})
    }
    this.replaceChildren(h('div.desk-head', p.sign, h('div', p.where, p.title)), p.facts, p.aside, p.first, p.buttons, p.none, p.form)
    return p
  }
}

/** Who put it aside, since when, until when and why. */
export function asideLine({aside}, zone) {
  if (!aside) return ''
  const until = aside.until ? t('aside.until', {at: dayClock(aside.until, zone)}) : ''
  return [say(aside.by?.name) || t('aside.logic'), dayClock(aside.at, zone), until, say(aside.reason)].filter(Boolean).join(' · ')
}

function reading(alarm) {
  if (typeof alarm.value !== 'number' || (typeof alarm.limit !== 'number' && !alarm.unit)) return ''
  const limit = typeof alarm.limit === 'number' ? ` / ${number(alarm.limit, 1)}` : ''
  return `${number(alarm.value, 1)}${limit} ${alarm.unit ?? ''}`.trim()
}

customElements.define('andon-alarm-desk', AlarmDesk)
