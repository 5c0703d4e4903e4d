/** The console's month in figures with what of the costs the ERP has; and our machines beside the ERP's assets. */
import {h, keyed, mark, put} from '../lib/dom.js'
import {dayClock, localTime, number, percent} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {zoneOf} from './start.js'
import '../elements/data-table.js'

const EVERY = 60 // seconds

export function deliveryPage({api, store, orSay, may}) {
  const [tiles, trouble, costs] = [h('div.figures', {testid: 'figures'}), h('div'), h('andon-table', {testid: 'costs'})]
  const month = h('input', {type: 'month', testid: 'month', ariaLabel: t('figures.month'), value: localTime(store.now(), zoneOf(store)).slice(0, 7), onchange: () => ask()})
  const counted = may('planner', 'manager', 'admin')
  costs.setup({columns: costColumns(), keyOf: c => `${c.order} ${c.what} ${c.item} ${c.unit}`, testidOf: c => `cost-${c.order}-${c.what}`, file: 'costs'})
  const ask = () => orSay(trouble, async () => {
    if (!/^20\d\d-\d\d$/.test(month.value)) return // a browser without month fields lets people write anything
    const wanted = month.value
    const found = await api.get(`/api/delivery?month=${wanted}`)
    if (month.value === wanted) keyed(tiles, found.lines, line => line.line, tile, fill)
    if (counted) costs.rows = rowsOf((await api.get(`/api/costs?month=${wanted}`)).orders)
  })
  const below = counted ? h('section.history', h('h2', t('costs.heading')), h('p.table-empty', t('costs.what')), costs) : ''
  return {element: h('div', h('div.table-tools', h('h2', t('figures.heading')), month), trouble, tiles, h('p.table-empty', t('figures.what')), below),
    tick: second => second % EVERY === 0 && ask()}
}

function tile() {
  const figure = name => h('div', {data: {figure: name}}, h('span', t(`figures.${name}`)), h('b'), h('small'))
  return h('section.figure-tile', h('h3'), figure('plan'), figure('on-time'), figure('turns'))
}

function fill(element, line) {
  const [name, plan, onTime, turns] = element.children
  element.dataset.testid = `figures-${line.line || 'all'}`
  put(name, line.line ? say(line.name) || line.line : t('figures.all'))
  write(plan, share(line.plan_accuracy), t('figures.plan.of', {made: number(line.made), planned: number(line.planned)}))
  const left = [line.open_late && t('figures.open-late', {n: line.open_late}), line.unknown && t('figures.unknown', {n: line.unknown})].filter(Boolean)
  write(onTime, share(line.on_time_share), [t('figures.on-time.of', {n: line.on_time, of: line.orders}), ...left].join(' · '))
  write(turns, line.stock_turns === null ? '' : number(line.stock_turns, 1), t('figures.turns.of', {n: line.items_known, of: line.items}))
}

function write(figure, value, beside) {
  put(figure.children[1], value || t('figures.not-known'))
  mark(figure, 'known', value ? 'yes' : 'no')
  put(figure.children[2], beside)
}

const share = value => (value === null ? '' : `${percent(value, 1)}%`)

const rowsOf = orders => orders.flatMap(o => o.costs.map(cost => ({...cost, order: o.order, product: say(o.product_name) || o.product})))

function costColumns() {
  return [
    {key: 'order', title: t('column.order'), text: c => c.order},
    {key: 'product', title: t('column.product'), text: c => c.product},
    {key: 'what', title: t('costs.kind'), text: c => t(`costs.of.${c.what}`)},
    {key: 'item', title: t('costs.item'), text: c => c.item || '—'},
    {key: 'booked', title: t('costs.booked'), text: c => amount(c.booked, c.unit), sort: c => c.booked},
    {key: 'taken', title: t('costs.taken'), text: c => amount(c.taken, c.unit), sort: c => c.taken},
    {key: 'share', title: t('costs.share'), text: c => t('costs.documents', {taken: c.documents_taken, of: c.documents}), sort: c => c.documents_taken / c.documents},
    {key: 'refused', title: t('costs.refused'), text: c => (c.documents_refused ? number(c.documents_refused) : '—'), sort: c => c.documents_refused},
  ]
}

/** Times are read in hours. */
const amount = (value, unit) => (unit === 's' ? t('costs.hours', {n: number(value / 3600, 2)}) : `${number(value, Number.isInteger(value) ? 0 : 2)} ${unit}`.trim())

export function assetsPage({api, store, orSay}) {
  const [lost, pairs, trouble, head] = [h('andon-table', {testid: 'orphans'}), h('andon-table', {testid: 'asset-pairs'}), h('div'), h('p', {testid: 'assets-head'})]
  lost.setup({columns: orphanColumns(), keyOf: o => `${o.kind} ${o.machine} ${o.asset}`, testidOf: o => `orphan-${o.asset || o.machine}`, file: 'orphans'})
  pairs.setup({columns: pairColumns(), keyOf: p => p.machine, testidOf: p => `pair-${p.asset}`, file: 'equipment'})
  const ask = () => orSay(trouble, async () => {
    const found = await api.get('/api/equipment-map')
    lost.rows = found.orphans
    pairs.rows = found.pairs
    put(head, found.read_at ? t('assets.read', {at: dayClock(found.read_at, zoneOf(store)), pairs: found.pairs.length, machines: found.machines, orphans: found.orphans.length}) : t('assets.never'))
  })
  return {element: h('div', h('h2', t('assets.heading')), head, trouble, lost, h('section.history', h('h2', t('assets.pairs')), pairs)),
    tick: second => second % EVERY === 0 && ask()}
}

function orphanColumns() {
  return [
    {key: 'kind', title: t('column.title'), text: o => t(`assets.kind.${o.kind}`)},
    {key: 'machine', title: t('assets.machine'), text: o => (o.machine ? `${say(o.where)} (${o.machine})` : '—')},
    {key: 'asset', title: t('assets.asset'), text: assetOf},
    {key: 'do', title: t('assets.do'), text: o => t(`assets.do.${o.kind}`, {others: (o.others ?? []).map(say).join(t('reconcile.and'))})},
  ]
}

function pairColumns() {
  return [
    {key: 'machine', title: t('assets.machine'), text: p => `${say(p.where)} (${p.machine})`},
    {key: 'asset', title: t('assets.asset'), text: assetOf},
    {key: 'place', title: t('column.where'), text: p => p.place || '—'},
  ]
}

const assetOf = row => [row.asset, say(row.asset_name)].filter(Boolean).join(' ') || '—'
