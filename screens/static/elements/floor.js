import {h, keyed, mark, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {arrange} from '../lib/layout.js'
import './line-card.js'

/** All lines and machines in the order in which they stand, laid out for the room there is. */
export class AndonFloor extends HTMLElement {
  #parts
  #lines = []
  #plan
  #planned = ''

  connectedCallback() {
    this.#parts ??= this.#build()
    this.watcher = new ResizeObserver(() => this.#render())
    this.watcher.observe(this)
  }

  disconnectedCallback() {
    this.watcher.disconnect()
  }

  set lines(lines) {
    this.#lines = lines
    this.#parts ??= this.#build()
    this.#render()
  }

  tick(now, zone) {
    for (const card of this.#parts?.grid.children ?? []) card.tick?.(now, zone)
  }

  #render() {
    const lines = this.#lines
    if (!this.clientWidth || !lines.length) return this.#parts.grid.replaceChildren() ?? this.#forget()
    const plan = this.#planFor(lines)
    keyed(this.#parts.grid, lines.slice(0, plan.shownLines), line => line.path,
      () => document.createElement('andon-line'), (card, line) => card.show(line, plan))
    put(this.#parts.more, plan.hidden > 0 ? t('more.machines', {n: plan.hidden}) : '')
    this.#parts.more.hidden = plan.hidden <= 0
  }

  #planFor(lines) {
    const unit = parseFloat(getComputedStyle(this).getPropertyValue('font-size')) / 100 // 100 design pixels, see wall.css
    const [width, height] = [this.clientWidth / unit, this.clientHeight / unit]
    const counts = lines.map(line => line.machines.length)
    const asked = `${Math.round(width)} ${Math.round(height)} ${counts}`
    if (asked !== this.#planned) {
      this.#planned = asked
      this.#plan = arrange(width, height, counts)
      this.#parts.grid.style.setProperty('--columns', this.#plan.columns)
      this.#parts.grid.style.setProperty('--rows', Math.ceil(this.#plan.shownLines / this.#plan.columns))
      mark(this, 'detail', this.#plan.detail)
    }
    return this.#plan
  }

  #forget() {
    this.#parts.grid.kept?.clear()
    this.#planned = ''
  }

  #build() {
    const parts = {grid: h('div.floor-grid'), more: h('p.floor-more', {hidden: true})}
    this.replaceChildren(parts.grid, parts.more)
    return parts
  }
}

customElements.define('andon-floor', AndonFloor)
