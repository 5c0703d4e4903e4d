import {openAlarms} from '../lib/board.js'
import {h, keyed, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {may, ordered, withWaiting} from '../lib/ticket.js'
import './ticket-card.js'

/** The phone's first page: open tickets, then alarms that have none. */
export class TicketList extends HTMLElement {
  #parts

  show({board, person, queue, now, zone}) {
    this.#parts ??= this.#build()
    const tickets = ordered(board.tickets, person.id)
    const alarms = openAlarms(board).filter(alarm => !alarm.ticket || !board.tickets?.[alarm.ticket])
    keyed(this.#parts.tickets, tickets, ticket => ticket.id, () => document.createElement('andon-ticket-card'),
      (card, ticket) => card.show({
        ticket: withWaiting(ticket, queue), now, zone, mine: ticket.technician?.id === person.id,
        priority: board.alarms?.[ticket.alarm_id]?.priority, waiting: queue.some(item => item.ticket === ticket.id)}))
    keyed(this.#parts.alarms, alarms, alarm => alarm.id, () => document.createElement('andon-alarm-card'),
      (card, alarm) => card.show({alarm, now, zone, allowed: may(person, 'acknowledge')}))
    put(this.#parts.count, tickets.length || '')
    put(this.#parts.none, tickets.length ? '' : t('phone.no-tickets'))
    put(this.#parts.quiet, alarms.length ? '' : t('phone.no-alarms'))
  }

  #build() {
    const parts = {tickets: h('div.cards'), alarms: h('div.cards'), none: h('p.none'), quiet: h('p.none'), count: h('small')}
    this.replaceChildren(h('h2', t('phone.tickets'), parts.count), parts.tickets, parts.none,
      h('h2', t('phone.alarms')), parts.alarms, parts.quiet)
    return parts
  }
}

customElements.define('andon-ticket-list', TicketList)
