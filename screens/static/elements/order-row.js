import {progress} from '../lib/board.js'
import {headline, standing, urgency} from '../lib/change.js'
import {h, keyed, mark, put} from '../lib/dom.js'
import {age, dayClock, number as digits, percent, shorten, widthOf} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {icon, putIcon} from '../lib/icons.js'

const CELLS = 17.2 // ems that all operations have together
const FIGURE = 2 // ems of "77%"

/** One order: number, product, rush and late marks, progress of every operation in the order of work. */
export class OrderRow extends HTMLElement {
  #parts
  #order

  set order(order) {
    if (order === this.#order) return
    this.#parts ??= this.#build()
    this.#order = order
    const {number, product, rush, due, state, change} = this.#parts
    const waiting = urgency(order)
    this.dataset.testid = `order-${order.number}`
    put(number, order.number)
    put(this.#parts.quantity, `×${digits(order.quantity)}`)
    put(product, say(order.product_name) || order.product)
    rush.hidden = !order.rush || standing(order) === 'cancelled'
    state.hidden = !standing(order) || Boolean(order.change?.changed.state) // then the change says it
    put(state, standing(order) ? t(`change.state.${order.state}`) : '')
    mark(this, 'standing', standing(order))
    mark(this, 'change', waiting)
    change.hidden = !waiting
    putIcon(change.firstChild, waiting === 'late' ? 'high' : 'clock')
    put(change.lastChild, waiting ? `${t(waiting === 'late' ? 'change.mark.late' : 'change.mark')} ${headline(order, t, iso => dayClock(iso, this.zone))}` : '')
    mark(this, 'late', order.late_by ? 'yes' : '')
    put(due, order.late_by ? t('order.late', {age: age(order.late_by, t)}) : t('order.due', {at: dayClock(order.due_at, this.zone)}))
    mark(this.#parts.operations, 'many', crowded(order.operations ?? []) ? 'yes' : '')
    keyed(this.#parts.operations, order.operations ?? [], o => o.operation, () => h('li', h('span'), h('b'), h('i')),
      (cell, item) => operation(cell, item, CELLS / order.operations.length - (this.#parts.operations.dataset.many ? 0 : FIGURE)))
    this.title = [order.number, product.textContent, order.customer, due.textContent, change.lastChild.textContent].filter(Boolean).join(' · ')
  }

  #build() {
    const parts = {number: h('b.order-number'), product: h('span.order-product'), due: h('span.order-due'), quantity: h('span.order-quantity'),
      rush: h('span.order-rush', icon('rush'), t('order.rush')), state: h('span.order-state'), change: h('span.order-change', h('span'), h('span')), operations: h('ol.order-operations')}
    this.replaceChildren(h('div.order-head', parts.number, parts.rush, parts.state, parts.quantity),
      h('div.order-line', parts.product, parts.due, parts.change), parts.operations)
    return parts
  }
}

/** Where even shortened names and figures do not fit side by side, the bars alone say how far it is. */
export const crowded = operations => operations.some(o => widthOf(shorten(say(o.name), CELLS / operations.length - FIGURE)) > CELLS / operations.length - FIGURE)

function operation(cell, item, room) {
  const share = progress(item)
  mark(cell, 'state', item.state)
  put(cell.children[0], shorten(say(item.name), room))
  put(cell.children[1], item.state === 'done' ? '✓' : item.state === 'inspection' ? t('order.inspection') : `${percent(share)}%`)
  cell.children[2].style.setProperty('--share', share)
  cell.title = `${say(item.name)} ${item.good}/${item.quantity} (${t('order.scrap', {n: item.scrap ?? 0})}) ${t(`job.${item.state}`)}`
}

customElements.define('andon-order', OrderRow)
