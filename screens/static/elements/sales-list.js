import {h, keyed, put} from '../lib/dom.js'
import {age} from '../lib/format.js'
import {t} from '../lib/i18n.js'
import './shared-order.js'

/** A seller's own customers' orders, found by number, customer or product; each leads to its links. */
export class SalesList extends HTMLElement {
  #parts
  #told = null

  show({sales, stale, as_of: asOf, now, zone, trouble = ''}) {
    this.#parts ??= this.#build()
    this.#told = {sales, stale, as_of: asOf, now, zone, trouble}
    const words = this.#parts.filter.value.toLowerCase().split(/\s+/).filter(Boolean)
    const found = (sales ?? []).filter(sale => words.every(word => JSON.stringify([sale.number, sale.customer, sale.lines]).toLowerCase().includes(word)))
    keyed(this.#parts.cards, found, sale => sale.number, build, (card, sale) => fill(card, sale, zone))
    put(this.#parts.none, sales ? (found.length ? '' : t('sales.none')) : trouble || t('loading'))
    const old = stale ? t(`shared.stale.${stale}`, {age: age((now - Date.parse(asOf)) / 1000, t)}) : ''
    put(this.#parts.stale, old)
    this.#parts.stale.hidden = !old
  }

  #build() {
    const parts = {cards: h('div.cards'), none: h('p.none'), stale: h('p.shared-stale', {role: 'status', data: {shown: 'yes'}}),
      filter: h('input', {type: 'search', placeholder: t('rush.find'), ariaLabel: t('rush.find'), testid: 'find-sale', oninput: () => this.show(this.#told)})}
    this.replaceChildren(h('label.field', parts.filter), parts.stale, parts.cards, parts.none)
    return parts
  }
}

function build() {
  return h('section.sale', h('p.shared-head', h('b.shared-number'), h('span'), h('a.plain', {testid: 'sale-share'}, t('share.open'))), h('div.cards'))
}

function fill(card, sale, zone) {
  card.dataset.testid = `sale-${sale.number}`
  const [number, customer, link] = card.firstChild.children
  put(number, sale.number)
  put(customer, sale.customer)
  link.hidden = !sale.order
  if (sale.order) link.href = `#o=${encodeURIComponent(sale.order)}`
  keyed(card.lastChild, sale.lines, line => line.product, () => h('andon-shared-line'), (element, line) => element.show(line, zone))
}

customElements.define('andon-sales-list', SalesList)
