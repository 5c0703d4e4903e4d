import {h, keyed, mark, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'

/** Value tables: our word beside theirs. Sends `value` {table, ours, theirs}; theirs undefined takes a row back. */
export class ValueTables extends HTMLElement {
  #p

  show({tables, may}) {
    this.#p ??= this.#build()
    const names = Object.keys(tables)
    keyed(this.#p.all, names, name => name, name => this.#table(name), (box, name) => this.#fill(box, tables[name], may))
    put(this.#p.none, names.length ? '' : t('mapping.no-tables'))
    this.#p.form.hidden = !may
  }

  #send(detail) {
    this.dispatchEvent(new CustomEvent('value', {detail, bubbles: true}))
  }

  #build() {
    const p = {all: h('div.value-tables'), none: h('p.none'),
      name: h('input', {required: true, maxLength: 60, pattern: '[A-Za-z0-9_\\-]+', placeholder: t('mapping.table.hint'), ariaLabel: t('mapping.table.name'), testid: 'new-table'})}
    p.form = h('form.pair-form', p.name, h('button.quiet', {type: 'submit'}, t('mapping.table.add')))
    p.form.onsubmit = event => {
      event.preventDefault()
      this.dispatchEvent(new CustomEvent('table', {detail: p.name.value.trim(), bubbles: true}))
      p.name.value = ''
    }
    this.replaceChildren(p.none, p.all, p.form)
    return p
  }

  #table(name) {
    const body = h('tbody')
    const [ours, theirs] = [h('input', {required: true, maxLength: 200, placeholder: t('mapping.ours'), testid: `table-${name}-ours`}), h('input', {required: true, maxLength: 200, placeholder: t('mapping.theirs'), testid: `table-${name}-theirs`})]
    const form = h('form.pair-form', ours, theirs, h('button.quiet', {type: 'submit', testid: `table-${name}-add`}, t('mapping.add')))
    form.onsubmit = event => {
      event.preventDefault()
      this.#send({table: name, ours: ours.value.trim(), theirs: theirs.value.trim()})
      ours.value = theirs.value = ''
      ours.focus()
    }
    const box = h('section.value-table', h('h4', `table('${name}', …)`), h('table', body), form)
    Object.assign(box, {body, form, name})
    return box
  }

  #fill(box, rows, may) {
    box.form.hidden = !may
    keyed(box.body, rows, row => row.ours, () => this.#line(box.name), (line, row) => {
      line.row = row
      put(line.ours, row.ours)
      if (line.theirs !== document.activeElement) line.theirs.value = row.theirs
      line.theirs.readOnly = !may
      mark(line, 'origin', row.own ? 'own' : 'site')
      line.drop.hidden = row.own || !may
    })
  }

  #line(table) {
    const line = h('tr')
    line.ours = h('span')
    line.theirs = h('input', {type: 'text', maxLength: 200, onchange: () => this.#send({table, ours: line.row.ours, theirs: line.theirs.value})})
    line.theirs.setAttribute('aria-label', t('mapping.theirs'))
    line.drop = h('button.quiet', {type: 'button', onclick: () => this.#send({table, ours: line.row.ours, theirs: undefined})}, t('mapping.drop'))
    line.append(h('td', line.ours), h('td', line.theirs), h('td', line.drop))
    return line
  }
}

customElements.define('andon-value-tables', ValueTables)
