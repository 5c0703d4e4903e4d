import {h, keyed, mark, put} from '../lib/dom.js'
import {dayClock} from '../lib/format.js'
import {t} from '../lib/i18n.js'
import './sure-button.js'

/** Versions, the newest first, with the file's at the end. Sends `activate`, `compare` and `load` with the number. */
export class MapVersions extends HTMLElement {
  #body

  show({versions, active, used, zone, may}) {
    this.#body ??= this.#build()
    const rows = [...versions, {number: 0, state: active === 0 ? 'active' : 'file', note: t('mapping.from-file'), by: ''}]
    keyed(this.#body, rows, row => row.number, () => this.#line(), (line, row) => {
      line.row = row
      line.dataset.testid = `version-${row.number}`
      const current = row.number === active
      mark(line, 'active', current ? 'yes' : '')
      put(line.p.number, row.number)
      put(line.p.state, current ? (used === active ? t('mapping.state.active') : t('mapping.state.broken')) : t(`mapping.state.${row.state}`))
      put(line.p.note, row.note)
      put(line.p.who, [row.by, row.at && dayClock(row.at, zone)].filter(Boolean).join(' · '))
      line.p.sure.hidden = current || !may
      line.p.compare.hidden = current
    })
  }

  #send(name, line) {
    this.dispatchEvent(new CustomEvent(name, {detail: line.row.number, bubbles: true}))
  }

  #build() {
    const body = h('tbody')
    const heads = ['number', 'state', 'note', 'who'].map(name => h('th', {scope: 'col'}, t(`mapping.column.${name}`)))
    this.replaceChildren(h('div.table-box', h('table', h('thead', h('tr', ...heads, h('th'))), body)))
    return body
  }

  #line() {
    const line = h('tr')
    const p = {number: h('b'), state: h('span'), note: h('span'), who: h('span'), sure: document.createElement('andon-sure'),
      compare: h('button.quiet', {type: 'button', onclick: () => this.#send('compare', line)}, t('mapping.compare')),
      load: h('button.quiet', {type: 'button', onclick: () => this.#send('load', line)}, t('mapping.load'))}
    p.sure.setup(t('mapping.activate'), 'activate')
    p.sure.addEventListener('sure', () => this.#send('activate', line))
    line.p = p
    line.append(h('td', p.number), h('td', p.state), h('td', p.note), h('td', p.who), h('td', h('div.desk-buttons', p.compare, p.load, p.sure)))
    return line
  }
}

customElements.define('andon-map-versions', MapVersions)
