import {progress} from '../lib/board.js'
import {headline, standing, urgency} from '../lib/change.js'
import {h, mark, put} from '../lib/dom.js'
import {age, dayClock, number, percent} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {icon} from '../lib/icons.js'

/** One order in a phone's list; the whole card leads to its rush sheet. */
export class OrderCard extends HTMLElement {
  #parts

  show({order, zone}) {
    this.#parts ??= this.#build()
    const {link, title, what, facts, rush, done, state, change} = this.#parts
    link.href = `#o=${encodeURIComponent(order.number)}`
    this.dataset.testid = `order-${order.number}`
    mark(this, 'late', order.late_by ? 'yes' : '')
    put(title, order.number)
    put(what, `${say(order.product_name) || order.product} ×${number(order.quantity)}`)
    put(facts, [order.late_by ? t('order.late', {age: age(order.late_by, t)}) : t('order.due', {at: dayClock(order.due_at, zone)}), order.customer].filter(Boolean).join(' · '))
    rush.hidden = !order.rush
    state.hidden = !standing(order)
    put(state, standing(order) ? t(`change.state.${order.state}`) : '')
    mark(this, 'standing', standing(order))
    mark(this, 'change', urgency(order))
    put(change, urgency(order) ? `${t(urgency(order) === 'late' ? 'change.mark.late' : 'change.mark')} · ${headline(order, t, iso => dayClock(iso, zone))}` : '')
    put(done, `${percent(share(order))}%`)
  }

  #build() {
    const parts = {title: h('b.card-title'), what: h('span.card-where'), facts: h('span.card-facts'), done: h('span.card-state'),
      rush: h('span.rush-mark', icon('rush'), t('order.rush')), state: h('span.order-state'), change: h('span.order-change')}
    parts.link = h('a.card.order-card', h('span.card-text', h('span.order-card-head', parts.title, parts.rush, parts.state), parts.what, parts.facts, parts.change), parts.done)
    this.replaceChildren(parts.link)
    return parts
  }
}

const share = ({operations = []}) => (operations.length ? operations.reduce((sum, o) => sum + progress(o), 0) / operations.length : 0)

customElements.define('andon-order-card', OrderCard)
