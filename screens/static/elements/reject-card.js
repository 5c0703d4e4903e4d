import {h, put} from '../lib/dom.js'
import {dayClock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import './correction-form.js'

/** A record of the MES that was not taken: what it said, why not, and what may be done. Sends `replay`, `aside` with a reason, `shut`, and what the correction sends. */
export class RejectCard extends HTMLElement {
  #parts
  #of = null

  show({reject, zone, told = ''}) {
    this.#parts ??= this.#build()
    const p = this.#parts
    if (this.#of !== reject.id) {
      this.#of = reject.id
      p.reason.value = ''
      p.correction.reset()
    }
    put(p.title, [reject.source, typeWord(reject.type), reject.event].filter(Boolean).join(' · '))
    put(p.why, say(reject.reason))
    put(p.facts, t('reject.seen', {n: reject.times, first: dayClock(reject.first_at, zone), last: dayClock(reject.last_at, zone)}))
    put(p.place, placeOf(reject.record))
    put(p.record, laidOut(reject.record))
    put(p.corrected, reject.correction ? t('correct.taken-as') : '')
    put(p.after, reject.correction && laidOut(reject.correction))
    p.after.hidden = !reject.correction
    put(p.result, told || decided(reject, zone))
    p.acts.hidden = reject.state !== 'waiting'
  }

  /** The form in which a person corrects the record. */
  get correction() {
    return this.#parts.correction
  }

  #send(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail, bubbles: true}))
  }

  #build() {
    const p = {
      title: h('b.desk-title', {testid: 'reject-title'}), why: h('p', {testid: 'reject-why'}), facts: h('p.desk-facts'), place: h('p', {testid: 'reject-place'}), record: h('pre', {testid: 'reject-record'}),
      corrected: h('p'), after: h('pre', {testid: 'reject-correction'}), correction: h('andon-correction'),
      result: h('p', {role: 'status', testid: 'reject-result'}), reason: h('input', {required: true, maxLength: 500, testid: 'reject-reason'}),
    }
    const replay = h('button.button', {type: 'button', testid: 'reject-replay', onclick: () => this.#send('replay')}, t('reject.replay'))
    const form = h('form.desk-why', h('label.field', h('span', t('wish.reason')), p.reason),
      h('div.desk-buttons', h('button.quiet', {type: 'submit', testid: 'reject-aside'}, t('reject.put-aside'))))
    form.onsubmit = event => {
      event.preventDefault()
      const reason = p.reason.value.trim()
      if (reason) this.#send('aside', reason)
    }
    p.acts = h('div.reject-acts', replay, p.correction, form)
    const shut = h('button.quiet.shut', {type: 'button', ariaLabel: t('reject.shut'), title: t('reject.shut'), testid: 'reject-shut', onclick: () => this.#send('shut')}, '×')
    this.replaceChildren(h('div.reject-top', p.title, shut), p.why, p.place, p.facts, p.record, p.corrected, p.after, p.result, p.acts)
    return p
  }
}

/** A type of event in our words; what a source made up stays as it is. */
export function typeWord(type) {
  const word = t(`event.type.${type}`)
  return word === `event.type.${type}` ? type || '—' : word
}

function decided(reject, zone) {
  if (reject.state === 'waiting') return ''
  return [t(`reject.state.${reject.state}`), reject.decided_by, reject.decided_at && dayClock(reject.decided_at, zone), reject.note].filter(Boolean).join(' · ')
}

/** "报工.csv 第 12 行" of what stood in a file, the table of what stood in a database; "" of anything else. */
function placeOf(record) {
  try {
    const {file, line, table} = JSON.parse(record)
    if (typeof file === 'string') return line ? t('reject.place', {file, line}) : file
    return typeof table === 'string' ? t('reject.table', {table}) : ''
  } catch {
    return ''
  }
}

function laidOut(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

customElements.define('andon-reject', RejectCard)
