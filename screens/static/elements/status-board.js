import {h, keyed, mark, put} from '../lib/dom.js'
import {dayClock, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'
import {asText, circuitText, detailText, droppedOf, figureName, figuresOf, isWell, lineText, partKey, partTitle, partsOf, sourcesOf, troubleText, upWord} from '../lib/status.js'
import './data-table.js'

/** Each runner with its restarts and last error, and every figure that the hub tells of itself. */
export class StatusBoard extends HTMLElement {
  #parts
  #shown = []

  show(status, zone) {
    this.#parts ??= this.#build(zone)
    const parts = partsOf(status)
    const word = status.status ?? (parts.every(part => upWord(part) === 'up') ? 'ok' : 'degraded')
    const dropped = droppedOf(parts)
    const look = HEADS[word === 'ok' && dropped.length ? 'dropped' : word] ?? HEADS.degraded
    putIcon(this.#parts.sign, look.icon)
    mark(this.#parts.head, 'state', look.state)
    put(this.#parts.word, t(look.word ?? `status.${word}`))
    put(this.#parts.dropped, dropped.map(({part, n, of}) => t('status.dropped', {n: number(n), part: partTitle(part, parts, t) + sourcesText(of)})).join(' '))
    this.#parts.table.rows = this.#shown = parts
    this.#parts.sources.rows = sourcesOf(status)
    keyed(this.#parts.figures, figuresOf(status), row => row.name, name => h('div', {title: name}, h('dt', figureName(name, t)), h('dd')), (cell, row) => put(cell.lastChild, figure(row)))
  }

  #build(zone) {
    const parts = {sign: h('span'), word: h('b'), dropped: h('p.status-dropped', {testid: 'dropped'}), table: h('andon-table', {testid: 'parts'}), sources: h('andon-table', {testid: 'sources'}), figures: h('dl.status-figures', {testid: 'figures', ariaLabel: t('status.figures')})}
    parts.head = h('p.status-head', parts.sign, parts.word)
    this.replaceChildren(h('div.status-top', parts.head, parts.dropped, parts.figures), h('div.status-pair',
      h('section', h('h2', t('status.parts')), parts.table), h('section', h('h2', t('status.sources')), parts.sources)))
    parts.table.setup({file: 'parts', foldOf: isWell, keyOf: partKey, testidOf: part => `part-${part.name}`, columns: [
      {key: 'name', title: t('column.part'), text: part => partTitle(part, this.#shown, t)},
      ...health(zone),
      {key: 'restarts', title: t('column.restarts'), text: part => number(part.restarts), sort: part => part.restarts},
      {key: 'circuit', title: t('column.circuit'), text: part => circuitText(part.circuit, t, at => dayClock(at, zone)), sort: part => part.circuit?.failures ?? 0},
      {key: 'error', title: t('column.error'), text: part => [say(part.detail?.degraded), troubleText(part.last_error, t)].filter(Boolean).join(' · ') || '—'},
      {key: 'detail', title: t('column.detail'), text: part => detailText(part.detail, t, at => dayClock(at, zone))},
    ]})
    parts.sources.setup({file: 'sources', foldOf: isWell, keyOf: source => source.name, columns: [
      {key: 'name', title: t('column.source'), text: source => source.name}, ...health(zone),
      {key: 'error', title: t('column.error'), text: source => troubleText(source.error, t) || '—'},
      {key: 'line', title: t('column.line'), text: source => lineText(source, t, at => at.slice(0, 10))},
    ]})
    return parts
  }
}

const HEADS = {ok: {icon: 'check', state: 'executing'}, dropped: {icon: 'held', state: 'held', word: 'status.ok-dropped'}, degraded: {icon: 'fault', state: 'fault'}}

/** " (drop 300, mq 96)": of which sources, where that is known. */
const sourcesText = of => (of.length ? t('status.dropped.of', {of: of.map(([name, n]) => `${name || '—'} ${number(n)}`).join(t('status.dropped.and'))}) : '')

const LOOKS = {up: {word: 'status.up', state: 'executing'}, down: {word: 'status.down', state: 'fault'}, degraded: {word: 'status.part-degraded', state: 'held'}}

const health = zone => [
  {key: 'up', title: t('column.up'), text: row => t(LOOKS[upWord(row)].word), sort: row => Number(upWord(row) === 'up') + Number(row.up),
    look: row => ({state: LOOKS[upWord(row)].state})},
  {key: 'since', title: t('column.since'), text: row => (row.since ? dayClock(row.since, zone) : '—'), sort: row => row.since},
]

/** Spans of time read better in ms below a second. */
function figure({name, value}) {
  if (typeof value !== 'number') return asText(value)
  if (value === 0) return '0'
  if (/latency|seconds|age/.test(name)) return value < 1 ? `${number(value * 1000, value < 0.01 ? 1 : 0)} ms` : `${number(value, 1)} s`
  return number(value, Number.isInteger(value) ? 0 : 2)
}

customElements.define('andon-status', StatusBoard)
