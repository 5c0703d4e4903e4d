import {h} from '../lib/dom.js'
import {age, dayClock} from '../lib/format.js'
import {t} from '../lib/i18n.js'
import {segments} from '../lib/states.js'

const LINES = ['recorded', 'current', 'proposed']

/** One stretch of time as several tell it, in the walls' colours; below it how long each state was. */
export class StateLines extends HTMLElement {
  /** `tried` as POST /api/state-tables/preview answers. `names`: who tells; a state that the last two differ in is marked. */
  show(tried, zone, names = LINES) {
    const lines = names.map(name => this.#line(name, tried, zone))
    const ends = h('div.line-ends', h('span', dayClock(tried.since, zone)), h('span', dayClock(tried.until, zone)))
    this.replaceChildren(...lines, ends, this.#sums(tried, names))
  }

  #line(name, tried, zone) {
    const bars = segments(tried.lines[name], tried.since, tried.until).map(one => {
      const bar = h('i', {data: {state: one.state}, title: `${t(`state.${one.state}`)} · ${dayClock(one.since, zone)} – ${dayClock(one.until, zone)}`})
      bar.style.left = `${one.left}%`
      bar.style.width = `${one.width}%`
      return bar
    })
    const told = Object.entries(tried.seconds[name]).map(([state, seconds]) => `${t(`state.${state}`)} ${age(seconds, t)}`).join(', ')
    return h('div.state-line-row', {testid: `line-${name}`}, h('span', t(`states.line.${name}`)), h('div.state-strip', {role: 'img', ariaLabel: `${t(`states.line.${name}`)}: ${told}`}, ...bars))
  }

  #sums(tried, names) {
    const [before, after] = names.slice(-2)
    const states = [...new Set(names.flatMap(name => Object.keys(tried.seconds[name])))]
    const cell = (name, state) => h('td', {data: {title: t(`states.line.${name}`)}}, h('span', tried.seconds[name][state] ? age(tried.seconds[name][state], t) : '—'))
    const rows = states.map(state => h('tr', {data: {state, changed: tried.seconds[before][state] === tried.seconds[after][state] ? '' : 'yes'}, testid: `sum-${state}`},
      h('th', {scope: 'row'}, h('i.dot'), t(`state.${state}`)), ...names.map(name => cell(name, state))))
    const heads = names.map(name => h('th', {scope: 'col'}, t(`states.line.${name}`)))
    return h('div.table-box', h('table.state-sums', h('thead', h('tr', h('th', {scope: 'col'}, t('states.state')), ...heads)), h('tbody', ...rows)))
  }
}

customElements.define('andon-state-lines', StateLines)
