import {h, put} from '../lib/dom.js'
import {clock, fullClock} from '../lib/format.js'
import {t} from '../lib/i18n.js'

const APART = 60_000 // ms between the phone's clock and the hub's that somebody should know about

/** Every step of a ticket: what it became, when, by whom and from where. The phone's own time where it differs. */
export class TicketHistory extends HTMLElement {
  #parts
  #shown = ''

  /** `lines` as docs/api.md has them; undefined while they are not known. */
  show(lines, zone) {
    this.hidden = !lines?.length
    const told = JSON.stringify(lines ?? [])
    if (this.hidden || told === this.#shown) return
    this.#shown = told
    this.#parts ??= this.#build()
    put(this.#parts.count, lines.length)
    this.#parts.list.replaceChildren(...lines.map(line => row(line, zone)))
  }

  #build() {
    const parts = {count: h('small'), list: h('ol')}
    this.replaceChildren(h('details', h('summary', t('ticket.history'), ' ', parts.count), parts.list))
    return parts
  }
}

function row(line, zone) {
  const apart = line.device_time && Math.abs(Date.parse(line.at) - Date.parse(line.device_time)) > APART
  const said = [line.by, t(`channel.${line.channel}`), apart && t('ticket.history.device', {at: clock(line.device_time, zone)}), line.note]
  return h('li', {data: {state: line.after}}, h('time', fullClock(line.at, zone)), h('b', t(`ticket.state.${line.after}`)),
    h('span', said.filter(Boolean).join(' · ')))
}

customElements.define('andon-ticket-history', TicketHistory)
