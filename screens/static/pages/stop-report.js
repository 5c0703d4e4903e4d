/** The console's stops: where the planned time went by reason, as a Pareto chart and as a table, and each stop as CSV. */
import {h, put} from '../lib/dom.js'
import {dayClock, number, percent} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {paretoTraces} from '../lib/stops.js'
import {zoneOf} from './start.js'
import '../elements/data-table.js'

const EVERY = 30 // seconds
const HOURS = {day: 24, week: 168}
const HOUR = 3_600_000

export function stopsPage({api, store, orSay, colours}) {
  const [chart, table, each, trouble, head] = [h('andon-chart', {testid: 'pareto'}), h('andon-table', {testid: 'losses'}), h('andon-table', {testid: 'each-stop'}), h('div'), h('p.table-empty', {testid: 'losses-head'})]
  const place = pick('stops.place', [['', t('stops.everywhere')], ...placesOf(store.board)])
  const when = pick('stops.when', ['current', 'previous', ...Object.keys(HOURS)].map(name => [name, t(`stops.when.${name}`)]))
  const file = h('a.quiet', {testid: 'stops-csv', download: 'stops.csv'}, t('stops.csv'))
  table.setup({columns: lossColumns(), keyOf: r => r.reason, testidOf: r => `loss-${r.reason || 'none'}`, file: 'losses'})
  each.setup({columns: stopColumns(zoneOf(store)), keyOf: p => `${p.machine} ${p.start}`, file: 'stops'})

  function pick(word, options) {
    return h('select', {ariaLabel: t(word), testid: word, onchange: () => ask()}, ...options.map(([value, text]) => h('option', {value}, text)))
  }

  const ask = () => orSay(trouble, async () => {
    const at = new URLSearchParams({place: place.value})
    const hours = HOURS[when.value]
    if (hours) at.set('from', new Date(store.now() - hours * HOUR).toISOString())
    else at.set('shift', when.value)
    const found = await api.get(`/api/stops/pareto?${at}`)
    table.rows = found.reasons
    put(head, t('stops.total', {minutes: number(found.seconds / 60, 0), n: found.waiting}))
    const span = new URLSearchParams({place: place.value, from: found.from, until: found.until})
    file.href = `/api/stops.csv?${span}`
    const {stops, reasons} = await api.get(`/api/stops?${span}&limit=500`)
    each.rows = stops.flatMap(stop => stop.parts.map(part => ({...part, machine: stop.machine, where: stop.where, name: reasons[part.reason]?.name ?? part.reason})))
    const {traces, layout} = paretoTraces(found.reasons, {say, words: {minutes: t('stops.minutes'), share: t('stops.share'), bare: t('stops.none')}, colours: colours(chart)})
    await chart.draw(traces, layout)
  })
  return {element: h('div', h('div.table-tools', h('h2', t('stops.pareto')), place, when, file), trouble, head, chart, table, h('section.history', h('h2', t('stops.list')), each)),
    tick: second => second % EVERY === 0 && ask()}
}

function placesOf(board) {
  return (board?.areas ?? []).flatMap(area => [[area.path, say(area.name)], ...area.lines.flatMap(line => [[line.path, `· ${say(line.name)}`],
    ...line.machines.map(path => [path, `·· ${say(board.machines?.[path]?.name) || path}`])])])
}

const nameOf = row => (row.reason ? say(row.name) : t('stops.none'))

function lossColumns() {
  return [
    {key: 'reason', title: t('stops.reason'), text: nameOf},
    {key: 'group', title: t('stops.group'), text: r => say(r.group_name) || '—'},
    {key: 'minutes', title: t('stops.minutes'), text: r => number(r.minutes, 1), sort: r => r.minutes},
    {key: 'count', title: t('stops.count'), text: r => number(r.count), sort: r => r.count},
    {key: 'share', title: t('stops.share'), text: r => `${percent(r.share, 1)}%`, sort: r => r.share},
  ]
}

function stopColumns(zone) {
  return [
    {key: 'machine', title: t('stops.machine'), text: p => say(p.where)},
    {key: 'start', title: t('stops.from'), text: p => dayClock(p.start, zone), sort: p => p.start},
    {key: 'minutes', title: t('stops.minutes'), text: p => number(p.seconds / 60, 1), sort: p => p.seconds},
    {key: 'reason', title: t('stops.reason'), text: p => (p.reason ? say(p.name) : t('stops.none'))},
    {key: 'by', title: t('stops.by'), text: p => say(p.by?.name) || '—'},
    {key: 'note', title: t('column.note'), text: p => p.note || '—'},
  ]
}
