import {changes, standing, urgency} from '../lib/change.js'
import {h, keyed, mark, put} from '../lib/dom.js'
import {age, dayClock, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {icon, putIcon} from '../lib/icons.js'

/** An order that the office has changed: what was, what is, and one large button. Sends `confirm` with {id, at}. */
export class ChangeCard extends HTMLElement {
  #parts
  #change

  show({order, allowed, busy, note, now, zone}) {
    this.#parts ??= this.#build()
    const p = this.#parts
    this.#change = order.change
    this.dataset.testid = `change-${order.number}`
    mark(this, 'urgency', urgency(order))
    mark(this, 'standing', standing(order))
    putIcon(p.sign, urgency(order) === 'late' ? 'high' : 'clock')
    put(p.head, t(urgency(order) === 'late' ? 'change.late' : 'change.waiting', {age: age((now - Date.parse(order.change.at)) / 1000, t)}))
    put(p.title, order.number)
    put(p.what, `${say(order.product_name) || order.product} ×${number(order.quantity)}`)
    keyed(p.rows, changes(order, t, iso => dayClock(iso, zone)), row => row.field, () => h('li'), (line, row) => put(line, row.text))
    put(p.note, note ?? '')
    p.button.hidden = !allowed
    p.button.disabled = Boolean(busy)
  }

  #build() {
    const p = {sign: h('span.change-sign'), head: h('b.change-head'), title: h('b.change-number'), what: h('span.change-what'), rows: h('ul.change-rows'),
      note: h('p.change-note', {role: 'status'}), button: h('button.button.big', {type: 'button', testid: 'confirm-change'}, icon('check'), t('change.seen'))}
    p.button.onclick = () => this.dispatchEvent(new CustomEvent('confirm', {detail: {id: this.#change.id, at: this.#change.at}, bubbles: true}))
    this.replaceChildren(h('p.change-top', p.sign, p.head), h('p', p.title, p.what), p.rows, p.note, p.button)
    return p
  }
}

customElements.define('andon-change-card', ChangeCard)

/** All orders whose change waits for the floor; hidden when there are none. */
export class ChangeList extends HTMLElement {
  #parts

  /** `state` of pages/changes.js. */
  show({orders, allowed, state, now, zone}) {
    this.#parts ??= this.#build()
    this.hidden = !orders.length
    put(this.#parts.count, orders.length || '')
    keyed(this.#parts.cards, orders, order => order.change.id, () => document.createElement('andon-change-card'),
      (card, order) => card.show({order, allowed, busy: state.busy.has(order.change.id), note: state.notes.get(order.change.id), now, zone}))
  }

  #build() {
    const parts = {count: h('small'), cards: h('div.cards')}
    this.replaceChildren(h('h2', t('change.heading'), parts.count), parts.cards)
    return parts
  }
}

customElements.define('andon-changes', ChangeList)
