import {h, mark, put} from '../lib/dom.js'
import {since} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {icon, putIcon} from '../lib/icons.js'

/** One open ticket in the technician's list; the whole card is the way in. */
export class TicketCard extends HTMLElement {
  #parts

  /** `priority` of its alarm, `mine`, `waiting`: something of it is only on this phone. */
  show({ticket, priority, mine, waiting, now, zone}) {
    this.#parts ??= this.#build()
    const {link, sign, title, where, facts, state, note} = this.#parts
    link.href = `#t=${encodeURIComponent(ticket.id)}`
    this.dataset.testid = `ticket-${ticket.id}`
    mark(this, 'priority', priority ?? 'medium')
    putIcon(sign, priority ?? 'medium')
    put(title, say(ticket.title))
    put(where, say(ticket.where))
    put(facts, [t('ticket.stopped', {since: since(ticket.stopped_at ?? ticket.opened_at, now, zone, t)}), mine ? t('phone.mine') : say(ticket.technician?.name)].filter(Boolean).join(' · '))
    put(state, t(`ticket.state.${ticket.state}`))
    put(note, waiting ? t('queue.item') : '')
  }

  #build() {
    const parts = {sign: h('span.card-sign'), title: h('b.card-title'), where: h('span.card-where'),
      facts: h('span.card-facts'), state: h('span.card-state'), note: h('span.card-note')}
    parts.link = h('a.card', parts.sign, h('span.card-text', parts.where, parts.title, parts.facts, parts.note), parts.state)
    this.replaceChildren(parts.link)
    return parts
  }
}

customElements.define('andon-ticket-card', TicketCard)

/** An alarm that has no ticket: seen with one tap. */
export class AlarmCard extends HTMLElement {
  #parts

  show({alarm, allowed, now, zone}) {
    this.#parts ??= this.#build()
    this.dataset.testid = `alarm-${alarm.id}`
    mark(this, 'priority', alarm.priority)
    putIcon(this.#parts.sign, alarm.priority)
    put(this.#parts.where, say(alarm.where))
    put(this.#parts.title, say(alarm.title))
    this.#parts.link.href = `#a=${alarm.id}`
    const owner = alarm.owner?.name ? say(alarm.owner.name) : t('alarm.nobody')
    put(this.#parts.facts, `${since(alarm.raised_at, now, zone, t)} · ${owner} · ${t(`alarm.state.${alarm.state}`)}`)
    this.#parts.button.hidden = !allowed || !['unacked', 'rtn-unacked'].includes(alarm.state)
    this.#parts.button.onclick = () =>
      this.dispatchEvent(new CustomEvent('acknowledge', {detail: alarm.id, bubbles: true}))
  }

  #build() {
    const parts = {sign: h('span.card-sign'), where: h('span.card-where'), title: h('b.card-title'), facts: h('span.card-facts'),
      button: h('button.card-ack', {type: 'button', testid: 'acknowledge'}, icon('check'), t('alarm.acknowledge'))}
    parts.link = h('a.card', parts.sign, h('span.card-text', parts.where, parts.title, parts.facts))
    this.replaceChildren(parts.link, parts.button)
    return parts
  }
}

customElements.define('andon-alarm-card', AlarmCard)
