import {h, keyed, mark, put} from '../lib/dom.js'
import {say, t} from '../lib/i18n.js'
import {given} from '../lib/mapping.js'

/**
 * One side of a map as a table: name, expression, and what it gives for the record chosen. Sends `edit` {key, text},
 * `drop` and `back` with the key; `names` are titles by key, `tried` the preview's rows by key.
 */
export class MapRows extends HTMLElement {
  #parts

  setup({side, left, right}) {
    this.side = side
    const body = h('tbody')
    this.#parts = {body}
    this.replaceChildren(h('div.table-box', h('table', h('thead', h('tr', ...[left, right, t('mapping.gives'), ''].map(text => h('th', {scope: 'col'}, text)))), body)))
  }

  show({rows, titles, tried, may}) {
    keyed(this.#parts.body, rows, row => row.key, () => this.#line(), (line, row) => this.#fill(line, row, titles, tried[row.key], may))
  }

  #send(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail, bubbles: true}))
  }

  #line() {
    const line = h('tr')
    const p = {
      title: h('b'), key: h('code'), chip: h('span.chip'), value: h('span'), told: h('small', {role: 'status'}),
      text: h('input', {type: 'text', spellcheck: false, autocomplete: 'off', maxLength: 2000}),
      near: h('button.quiet', {type: 'button', hidden: true}), act: h('button.quiet', {type: 'button'}),
    }
    p.text.oninput = () => this.#send('edit', {key: line.row.key, text: p.text.value})
    p.act.onclick = () => this.#send(['gone', 'changed'].includes(line.row.origin) ? 'back' : 'drop', line.row.key)
    line.p = p
    line.append(h('td', p.title, p.key, p.chip), h('td', p.text), h('td', p.value, p.told, p.near), h('td', p.act))
    return line
  }

  #fill(line, row, titles, tried, may) {
    const {p} = line
    line.row = row
    line.dataset.testid = `row-${this.side}-${row.key}`
    mark(line, 'origin', row.origin)
    put(p.title, titles[row.key] || (titles[row.key] === undefined ? row.key : ''))
    put(p.key, titles[row.key] ? row.key : '')
    put(p.chip, row.origin === 'own' ? '' : t(`mapping.origin.${row.origin}`))
    p.text.setAttribute('aria-label', `${row.key}: ${t('mapping.expression')}`)
    if (p.text !== document.activeElement || p.text.of !== row.key) p.text.value = row.text
    p.text.of = row.key
    p.text.readOnly = !may || row.origin === 'gone'
    const gone = row.origin === 'gone'
    mark(line, 'bad', !gone && tried?.error ? 'yes' : '')
    mark(line, 'odd', !gone && tried?.remark ? 'yes' : '')
    put(p.value, gone || !tried || tried.error ? '' : given(tried.value, this.side, t))
    mark(p.value, 'empty', tried?.value === null || tried?.value === '' ? 'yes' : '')
    put(p.told, gone ? '' : say(tried?.error ?? tried?.remark))
    p.near.hidden = gone || !may || !tried?.near || tried.at === null
    put(p.near, tried?.near ? t('mapping.take', {near: tried.near}) : '')
    p.near.onclick = () => this.#send('edit', {key: row.key, text: mended(row.text, tried.at, tried.near)})
    p.act.hidden = !may
    put(p.act, row.origin === 'gone' ? t('mapping.put-back') : row.origin === 'changed' ? t('mapping.reset') : t('mapping.drop'))
  }
}

/** The word that begins at `at`, as it was probably meant. */
export function mended(text, at, near) {
  return text.slice(0, at) + near + text.slice(at).replace(/^[\w]+/, '')
}

customElements.define('andon-map-rows', MapRows)
