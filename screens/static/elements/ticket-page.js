import {h, mark, put} from '../lib/dom.js'
import {age, clock, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {icon, putIcon} from '../lib/icons.js'
import {spanOf} from '../lib/spark.js'
import {downtime, involved, isOpen, mayBegin} from '../lib/ticket.js'
import './erp-note.js'
import './photo-view.js'
import './spark.js'
import './ticket-history.js'
import './ticket-steps.js'
import './verify-note.js'

/** One ticket: what broke, where, since when, how bad, what to do first, who else knows; then the row of steps. */
export class TicketPage extends HTMLElement {
  #parts
  #open = true

  /** `ticket` as it will stand with what waits on this phone; `alarm`, `machine` and `lines` where known. */
  show({ticket, alarm, lines, erp, machine, person, now, zone, busy, waiting}) {
    this.#parts ??= this.#build()
    const p = this.#parts
    const open = isOpen(ticket)
    mark(this, 'priority', open ? alarm?.priority ?? 'medium' : '')
    putIcon(p.sign, open ? alarm?.priority ?? 'medium' : 'check')
    p.first.parentElement.hidden = !open
    put(p.title, say(ticket.title))
    put(p.where, say(ticket.where))
    put(p.state, t(`ticket.state.${ticket.state}`))
    put(p.waiting, waiting ? t('queue.item') : '')
    put(p.number, ticket.id)
    p.erp.show({ticket, erp, now, zone})
    put(p.since, sinceWhen(ticket.stopped_at ?? ticket.opened_at, now, zone))
    put(p.bad, severity(alarm, machine))
    put(p.first, say(alarm?.instruction) || t(alarm?.priority === 'critical' ? 'ticket.first.critical' : 'ticket.first.default'))
    put(p.knows, whoKnows(ticket, alarm, person))
    for (const part of [p.knowsWord, p.knows.parentElement]) part.hidden = !open
    this.#open = open
    this.#done(ticket)
    p.begin.hidden = !mayBegin(ticket, person)
    p.begin.disabled = busy
    p.verify.show(ticket, zone)
    p.history.show(lines, zone)
    p.steps.show({ticket, person, zone, busy})
  }

  /** `points` of docs/api.md's trend. */
  trend(points, alarm, unit, zone) {
    const value = typeof alarm?.limit === 'number' ? `${number(alarm.limit, 1)} ${unit ?? ''}` : ''
    this.#parts.spark.show(points, alarm?.limit)
    const span = spanOf(points)
    this.#parts.sparkTimes.replaceChildren(...(span ? [span.start, span.end].map(at => h('time', clock(at, zone))) : []))
    put(this.#parts.sparkText, span ? [t(this.#open ? 'ticket.trend' : 'ticket.trend.was', {age: minutes(span)}), value && t('ticket.limit', {value})].filter(Boolean).join(' · ') : t('ticket.trend.none'))
  }

  #done(ticket) {
    const told = ticket.cause ? `${t(`cause.${ticket.cause_class || 'other'}`)}：${ticket.cause}` : ''
    put(this.#parts.cause, told)
    this.#parts.cause.hidden = !told
    this.#parts.photo.show(ticket.photo)
    put(this.#parts.downtime, isOpen(ticket) ? '' : t('ticket.downtime', {age: downtime(ticket, t)}))
  }

  #build() {
    const p = {
      sign: h('span.hero-sign'), title: h('h1'), where: h('p.hero-where'), state: h('b.ticket-state', {testid: 'ticket-state'}),
      waiting: h('span.ticket-waiting'), number: h('span'), erp: h('andon-erp-note'), since: h('b'), bad: h('b'), first: h('p.first'),
      knows: h('b'), knowsWord: h('dt', t('ticket.knows')), cause: h('p.cause'), photo: h('andon-photo-view', {hidden: true}), downtime: h('b', {testid: 'downtime'}), spark: h('andon-spark'), sparkText: h('figcaption'), sparkTimes: h('p.spark-times'),
      verify: h('andon-verify'), history: h('andon-ticket-history'), steps: h('andon-steps'),
      begin: h('button.begin', {type: 'button', testid: 'begin'}, icon('maintenance'), h('span', t('verb.begin'))),
    }
    p.begin.onclick = () => this.dispatchEvent(new CustomEvent('step', {detail: 'begin', bubbles: true}))
    this.replaceChildren(
      h('header.page-head', h('a.back', {href: '#', ariaLabel: t('phone.back')}, icon('back')), h('span.page-number', p.number)),
      h('section.hero', p.sign, h('div', p.where, p.title)),
      h('p.state-line', p.state, p.begin, p.waiting, p.downtime),
      p.erp,
      p.verify,
      h('dl.facts', h('dt', t('ticket.since')), h('dd', p.since), h('dt', t('ticket.bad')), h('dd', p.bad),
        p.knowsWord, h('dd', p.knows)),
      h('section.do-first', h('h2', t('ticket.first')), p.first),
      p.cause,
      p.photo,
      h('figure.trend', p.sparkText, p.spark, p.sparkTimes),
      p.history,
      h('footer.thumb', p.steps))
    return p
  }
}

/** "01:18 起，已 33 秒": both, because a phone is read by whoever was just called. */
function sinceWhen(at, now, zone) {
  return t('ticket.since.at', {at: clock(at, zone), age: age((now - Date.parse(at)) / 1000, t)})
}

/** A curve of an hour is one of 60 minutes, not of "1 h 0 min". */
function minutes({start, end}) {
  const n = Math.round((end - start) / 60_000)
  return n ? t('age.minutes', {n}) : age((end - start) / 1000, t)
}

function severity(alarm, machine) {
  const parts = [alarm ? t(`priority.${alarm.priority}`) : '']
  if (typeof alarm?.value === 'number' && (typeof alarm.limit === 'number' || alarm.unit)) {
    const live = machine?.values?.[alarm.subject]
    const decimals = live?.decimals ?? 1
    const limit = typeof alarm.limit === 'number' ? ` ${alarm.value < alarm.limit ? '<' : '>'} ${number(alarm.limit, Number.isInteger(alarm.limit) ? 0 : decimals)}` : ''
    parts.push(`${number(alarm.value, decimals)}${limit} ${alarm.unit}`.trim())
    if (typeof live?.value === 'number') parts.push(t('band.now', {value: `${number(live.value, decimals)} ${live.unit ?? ''}`.trim()}))
  }
  if (machine) parts.push(t(`state.${machine.state}`))
  return parts.filter(Boolean).map(part => part.replaceAll(' ', '\u00a0')).join(' · ') // a figure keeps its unit
}

function whoKnows(ticket, alarm, person) {
  const told = involved(ticket, alarm, person).map(({as, person: who}) => t(`ticket.knows.${as}`, {who: say(who.name) || who.id}))
  return told.join('、') || t('ticket.knows.nobody')
}

customElements.define('andon-ticket-page', TicketPage)
