import {h, keyed, mark, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {icon} from '../lib/icons.js'
import {csv, filtered, sorted} from '../lib/table.js'

/**
 * A table that people can filter, sort, export and step through with the keyboard.
 * Columns: {key, title, text(row), sort?(row), look?(row): {state | priority}}. Choosing a row sends `choose`.
 * With `pick` rows can be ticked: `picked` holds their keys, a change sends `pick`. Rows of which `foldOf(row)` holds are behind a button where there is little room.
 */
export class DataTable extends HTMLElement {
  #parts
  #rows = []
  #order = {key: '', descending: false}
  #picked = new Set()

  setup({columns, keyOf, testidOf, file, foldOf = () => false, pick = false}) {
    Object.assign(this, {columns, keyOf, testidOf, file, foldOf, pick})
    this.#parts ??= this.#build()
  }

  set rows(rows) {
    this.#rows = rows
    this.#render()
  }

  /** Those of them that are there. */
  get picked() {
    return this.#rows.map(this.keyOf).filter(key => this.#picked.has(key))
  }

  set picked(keys) {
    this.#picked = new Set(keys)
    this.#render()
  }

  #pick(keys, on) {
    for (const key of keys) on ? this.#picked.add(key) : this.#picked.delete(key)
    this.#render()
    this.dispatchEvent(new CustomEvent('pick', {bubbles: true}))
  }

  #render() {
    const shown = this.#shown()
    if (this.pick) this.#parts.all.checked = shown.length > 0 && shown.every(row => this.#picked.has(this.keyOf(row)))
    keyed(this.#parts.body, shown, this.keyOf, () => this.#row(), (line, row) => this.#fill(line, row))
    put(this.#parts.count, t('console.count', {n: shown.length, of: this.#rows.length}))
    const folded = shown.filter(this.foldOf).length
    this.#parts.unfold.hidden = !folded
    put(this.#parts.unfold, t('console.folded', {n: folded}))
    put(this.#parts.empty, shown.length ? '' : t('console.empty'))
    for (const head of this.#parts.heads) {
      const mine = head.dataset.key === this.#order.key
      head.setAttribute('aria-sort', mine ? (this.#order.descending ? 'descending' : 'ascending') : 'none')
    }
  }

  #shown() {
    const column = this.columns.find(c => c.key === this.#order.key)
    return sorted(filtered(this.#rows, this.columns, this.#parts.filter.value), column, this.#order.descending)
  }

  #row() {
    const tick = this.pick && h('input', {type: 'checkbox', ariaLabel: t('console.pick'), onchange: () => this.#pick([this.keyOf(line.row)], tick.checked)})
    const line = h('tr', {tabIndex: 0}, tick && h('td.tick', {onclick: event => event.stopPropagation()}, h('label', tick)), ...this.columns.map(column => h('td', {data: {title: column.title, key: column.key}}, h('span'))))
    const choose = () => {
      for (const other of this.#parts.body.children) mark(other, 'chosen', other === line ? 'yes' : '')
      this.dispatchEvent(new CustomEvent('choose', {detail: line.row, bubbles: true}))
    }
    line.onclick = choose
    line.onkeydown = event => {
      if (event.key === 'Enter') choose()
      const next = {ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling}[event.key]
      if (next) {
        event.preventDefault()
        next.focus()
      }
    }
    return line
  }

  #fill(line, row) {
    line.row = row
    mark(line, 'fold', this.foldOf(row) ? 'yes' : '')
    if (this.pick) line.querySelector('.tick input').checked = this.#picked.has(this.keyOf(row))
    if (this.testidOf) line.dataset.testid = this.testidOf(row)
    this.columns.forEach((column, i) => {
      const cell = line.children[i + Number(this.pick)].firstChild
      const look = column.look?.(row) ?? {}
      cell.className = look.priority ? 'chip-priority' : look.state ? 'chip-state' : ''
      mark(cell, 'priority', look.priority)
      mark(cell, 'state', look.state)
      const text = String(column.text(row))
      const symbol = look.icon ?? look.priority ?? look.state
      if (symbol && (cell.told !== symbol + text)) cell.replaceChildren(icon(symbol), text)
      else if (!symbol) put(cell, text)
      cell.told = symbol ? symbol + text : ''
    })
  }

  #build() {
    const heads = this.columns.map(column => h('th', {scope: 'col', data: {key: column.key}},
      h('button', {type: 'button', onclick: () => this.#sort(column.key)}, column.title)))
    const all = h('input', {type: 'checkbox', ariaLabel: t('console.pick-all'), testid: 'pick-all', onchange: () => this.#pick(this.#shown().map(this.keyOf), all.checked)})
    const parts = {heads, all, body: h('tbody'), count: h('span.table-count'), empty: h('p.table-empty'),
      unfold: h('button.quiet.unfold', {type: 'button', testid: 'unfold', onclick: () => mark(this, 'unfolded', 'yes')}),
      filter: h('input', {type: 'search', placeholder: t('console.filter.hint'), ariaLabel: t('console.filter'), testid: 'filter', oninput: () => this.#render()})}
    this.replaceChildren(
      h('div.table-tools', parts.filter, parts.count, h('button.quiet', {type: 'button', onclick: () => this.#export()}, t('console.export'))),
      h('div.table-box', h('table', h('thead', h('tr', this.pick && h('th.tick', h('label', all)), ...heads)), parts.body)), parts.unfold, parts.empty)
    return parts
  }

  #sort(key) {
    this.#order = {key, descending: this.#order.key === key && !this.#order.descending}
    this.#render()
  }

  #export() {
    const address = URL.createObjectURL(new Blob([csv(this.#shown(), this.columns)], {type: 'text/csv'}))
    h('a', {href: address, download: `${this.file}.csv`}).click()
    setTimeout(() => URL.revokeObjectURL(address), 1000)
  }
}

customElements.define('andon-table', DataTable)
