import {h, keyed, mark, put} from '../lib/dom.js'
import {age, dayClock, number} from '../lib/format.js'
import {t} from '../lib/i18n.js'

/** Raw codes with the states that they mean. Sends `code` with {code, state}; '' is no state. */
export class StateRows extends HTMLElement {
  #body
  #states = []

  setup(states, may) {
    this.#states = states
    this.may = may
    const heads = ['code', 'state', 'seen', 'lasted', 'last'].map(name => h('th', {scope: 'col'}, t(`states.${name}`)))
    this.#body = h('tbody')
    this.replaceChildren(h('div.table-box', h('table', h('thead', h('tr', ...heads)), this.#body)))
  }

  /** `rows` of lib/states.js; `before`: the table in use, against which a change is marked. */
  show(rows, before, zone) {
    keyed(this.#body, rows, row => row.code, code => this.#line(code), (line, {code, state, seen}) => {
      mark(line, 'state', state || 'unknown')
      mark(line, 'open', seen && !state ? 'yes' : '')
      mark(line, 'changed', (before.map[code] ?? '') === state ? '' : 'yes')
      if (line.p.state.value !== state) line.p.state.value = state
      put(line.p.was, (before.map[code] ?? '') === state ? '' : t('states.was', {state: before.map[code] ? t(`state.${before.map[code]}`) : t('states.none')}))
      put(line.p.seen, seen ? number(seen.count) : t('states.never'))
      put(line.p.lasted, seen ? age(seen.seconds, t) : '—')
      put(line.p.last, seen ? dayClock(seen.last_at, zone) : '—')
      line.p.last.title = seen ? t('states.first', {at: dayClock(seen.first_at, zone)}) : ''
    })
  }

  #line(code) {
    const options = [h('option', {value: ''}, t('states.none')), ...this.#states.map(state => h('option', {value: state}, t(`state.${state}`)))]
    const p = {state: h('select', {disabled: !this.may, ariaLabel: t('states.of', {code}), testid: `state-of-${code}`}, ...options), was: h('small'), seen: h('span'), lasted: h('span'), last: h('span')}
    p.state.onchange = () => this.dispatchEvent(new CustomEvent('code', {detail: {code, state: p.state.value}, bubbles: true}))
    const cell = (name, ...children) => h('td', {data: {title: t(`states.${name}`)}}, ...children)
    const line = h('tr', {testid: `code-${code}`}, cell('code', h('b.code', code)), cell('state', h('div.state-pick', h('i.dot'), p.state, p.was)), cell('seen', p.seen), cell('lasted', p.lasted), cell('last', p.last))
    line.p = p
    return line
  }
}

customElements.define('andon-state-rows', StateRows)
