import {h, keyed, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {rowsThatFit} from '../lib/layout.js'

/** As many rows as there is room for, and a line that says how many are not shown. Never scrolls, never cuts. */
export class AndonShortlist extends HTMLElement {
  #parts
  #items = []
  #note = ''

  /** `tag` of a row, `key(item)`, `fill(row, item)`, `empty`: the text for an empty list. */
  setup({tag, key, fill, empty, heading}) {
    Object.assign(this, {rowTag: tag, keyOf: key, fillRow: fill, emptyText: empty})
    this.#parts = {heading: h('h2', heading, h('small')), list: h('div.list-rows'), more: h('p.list-more')}
    this.replaceChildren(this.#parts.heading, this.#parts.list, this.#parts.more)
    new ResizeObserver(() => this.#render()).observe(this)
  }

  /** A few words beside the count: what is not in the list, and why. */
  set note(text) {
    this.#note = text
  }

  set items(items) {
    this.#items = items
    this.style.setProperty('--wanted', Math.max(1, items.length)) // before the room is measured
    this.style.setProperty('--pairs', Math.ceil(items.length / 2))
    this.#render()
  }

  tick(now, zone) {
    for (const row of this.#parts?.list.children ?? []) row.tick?.(now, zone)
  }

  #render() {
    const {list, more, heading} = this.#parts
    const shown = this.#room()
    keyed(list, this.#items.slice(0, shown), this.keyOf, () => document.createElement(this.rowTag), this.fillRow)
    put(heading.lastChild, [this.#items.length || '', this.#note].filter(Boolean).join(' · '))
    const hidden = this.#items.length - shown
    put(more, this.#items.length ? (hidden > 0 ? t('more.items', {n: hidden}) : '') : this.emptyText)
    more.hidden = this.#items.length > 0 && hidden <= 0
  }

  #room() {
    const style = getComputedStyle(this.#parts.list)
    const row = parseFloat(style.getPropertyValue('grid-auto-rows'))
    const height = this.clientHeight - this.#parts.heading.offsetHeight
    const beside = style.getPropertyValue('--more-beside') // the count of what is not shown stands beside the heading
    const word = beside ? 0 : parseFloat(getComputedStyle(this.#parts.more).lineHeight) || 0
    if (Number.isNaN(row)) return this.#items.length
    const across = parseInt(style.getPropertyValue('--across'), 10) || 1
    return Math.min(this.#items.length, across * rowsThatFit(height, row, parseFloat(style.rowGap) || 0, Math.ceil(this.#items.length / across), word))
  }
}

customElements.define('andon-shortlist', AndonShortlist)
