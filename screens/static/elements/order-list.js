import {h, keyed, put} from '../lib/dom.js'
import {say, t} from '../lib/i18n.js'
import './order-card.js'

const MOST = 60 // cards; the rest is found by its number

/** The phone's orders, found by number, product or customer. */
export class OrderList extends HTMLElement {
  #parts
  #told = null

  show({orders, zone}) {
    this.#parts ??= this.#build()
    this.#told = {orders, zone}
    const words = this.#parts.filter.value.toLowerCase().split(/\s+/).filter(Boolean)
    const found = orders.filter(order => words.every(word => `${order.number} ${say(order.product_name)} ${order.customer ?? ''}`.toLowerCase().includes(word)))
    const shown = found.slice(0, MOST)
    keyed(this.#parts.cards, shown, order => order.number, () => document.createElement('andon-order-card'), (card, order) => card.show({order, zone}))
    put(this.#parts.none, found.length ? '' : t('orders.none'))
    put(this.#parts.more, found.length > shown.length ? t('more.items', {n: found.length - shown.length}) : '')
  }

  #build() {
    const parts = {cards: h('div.cards'), none: h('p.none'), more: h('p.none'),
      filter: h('input', {type: 'search', placeholder: t('rush.find'), ariaLabel: t('rush.find'), testid: 'find-order', oninput: () => this.show(this.#told)})}
    this.replaceChildren(h('label.field', parts.filter), parts.cards, parts.none, parts.more)
    return parts
  }
}

customElements.define('andon-order-list', OrderList)
