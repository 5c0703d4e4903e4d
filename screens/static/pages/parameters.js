/** Below the console's orders: process parameters of the chosen order, or of a lot that people look up. */
import {h, put} from '../lib/dom.js'
import {localTime, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {limitsText, parameterChart, parameterRows} from '../lib/parameters.js'
import {colours} from '../elements/chart.js'
import {zoneOf} from './start.js'
import '../elements/data-table.js'

const POINTS = 400 // of a curve: about as many as the chart has pixels

export function parametersOf({api, store, orSay}) {
  const [table, chart, trouble, hint] = [h('andon-table', {testid: 'parameters', hidden: true}), h('andon-chart', {testid: 'parameter-chart', hidden: true}), h('div'), h('p.table-empty', t('parameters.pick'))]
  const download = h('a.quiet', {hidden: true, testid: 'parameters-csv', download: ''}, t('parameters.csv'))
  const lot = h('input', {type: 'search', placeholder: t('parameters.lot'), ariaLabel: t('parameters.lot'), testid: 'parameters-lot', onchange: () => lot.value.trim() && show(`lots/${encodeURIComponent(lot.value.trim())}`, lot.value.trim())})
  table.setup({columns: columns(), keyOf: row => row.key, testidOf: row => `parameter-${row.operation}-${row.tag}`, file: 'parameters'})
  table.addEventListener('choose', event => draw(event.detail))
  let shown = ''

  const show = (what, name) => orSay(trouble, async () => {
    shown = what
    const found = await api.get(`/api/${what}/parameters?points=0`).catch(error => (error.status === 404 ? {orders: []} : Promise.reject(error)))
    if (shown !== what) return // somebody chose another meanwhile
    const rows = parameterRows(found.orders ?? [found]).map(row => ({...row, ofLot: Boolean(found.orders)}))
    table.rows = rows
    table.hidden = download.hidden = !rows.length
    chart.hidden = true
    download.href = `/api/${what}/parameters.csv`
    put(hint, rows.length ? t('parameters.of', {name}) : t('parameters.none', {name}))
  })

  const draw = row => orSay(trouble, async () => {
    const narrowed = new URLSearchParams({points: POINTS, operation: row.operation, tag: row.tag})
    const found = await api.get(`/api/orders/${encodeURIComponent(row.order)}/parameters?${narrowed}`)
    const [parameter] = parameterRows([found])
    if (!parameter) return
    chart.hidden = false
    const {traces, layout} = parameterChart(parameter, {colours: colours(chart), local: at => localTime(at, zoneOf(store))})
    await chart.draw(traces, layout)
    chart.scrollIntoView({block: 'nearest'})
  })

  return {
    element: h('section.history', h('h2', t('parameters.heading')), h('div.parameter-tools', lot, download), hint, trouble, table, chart),
    open: order => shown !== `orders/${encodeURIComponent(order)}` && show(`orders/${encodeURIComponent(order)}`, order),
  }
}

const figure = (value, row) => (value === null ? '—' : number(value, row.decimals))

function columns() {
  return [
    {key: 'operation', title: t('parameters.operation'), text: row => [row.ofLot && row.order, row.operation, say(row.operationName)].filter(Boolean).join(' ')},
    {key: 'machine', title: t('column.where'), text: row => say(row.where) || row.machine},
    {key: 'name', title: t('parameters.parameter'), text: row => [say(row.name), row.unit && `(${row.unit})`].filter(Boolean).join(' ')},
    {key: 'limits', title: t('parameters.limits'), text: row => limitsText(row, value => figure(value, row)) || '—'},
    {key: 'min', title: t('parameters.min'), text: row => figure(row.min, row), sort: row => row.min},
    {key: 'mean', title: t('parameters.mean'), text: row => figure(row.mean, row), sort: row => row.mean},
    {key: 'max', title: t('parameters.max'), text: row => figure(row.max, row), sort: row => row.max},
    {key: 'outside', title: t('parameters.outside'), text: row => t('parameters.outside.of', {n: number(row.outside), of: number(row.samples)}), sort: row => row.outside,
      look: row => (row.outside ? {priority: 'high'} : {})},
    {key: 'bad', title: t('parameters.bad'), text: row => (row.bad ? number(row.bad) : '—'), sort: row => row.bad},
    {key: 'lots', title: t('parameters.lots'), text: row => row.lots.map(({item, lot}) => [item, lot].filter(Boolean).join(' ')).join(', ') || '—'},
  ]
}
