import {openAlarms} from '../lib/board.js'
import {timelineTraces, trendTraces} from '../lib/charts.js'
import {everySecond} from '../lib/clock.js'
import {h} from '../lib/dom.js'
import {age, localTime} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {loginAddress} from '../lib/route.js'
import {alarmsPage} from './alarms.js'
import {devicesPage, peoplePage} from './accounts.js'
import {auditPage} from './audit.js'
import {alarmColumns, lineColumns, ticketColumns} from './columns.js'
import {erpPage} from './erp.js'
import {mappingPage} from './mapping.js'
import {assetsPage, deliveryPage} from './figures.js'
import {ordersPage} from './orders.js'
import {reconcilePage} from './reconcile.js'
import {rejectsPage} from './rejects.js'
import {stopsPage} from './stop-report.js'
import {statesPage} from './states.js'
import {api, follow, speak, zoneOf} from './start.js'

const STATUS_EVERY = 2 // seconds
const CHART_EVERY = 30
const [header, main, banner] = ['header', 'main', 'andon-lost'].map(tag => document.querySelector(tag))

await speak()
document.title = t('page.console')
await Promise.all(['data-table', 'alarm-desk', 'service-form', 'rush-sheet', 'share-links', 'discrepancy-card', 'reject-card', 'erp-note', 'status-board', 'photo-view', 'chart', 'lost-banner', 'lang-switch'].map(name => import(`../elements/${name}.js`)))
const {colours} = await import('../elements/chart.js')
const person = await whoAmI()
const {store} = follow(api)
const may = (...roles) => person.roles.some(role => roles.includes(role))

/** Field maps are the whole plant's: who sees a part of it has nothing to do there. */
const mapsMine = may('planner', 'admin') && person.scopes.some(scope => !scope.includes('/'))

/** What each page is made of: `make` once when opened, `tick` every second while it is shown. */
const PAGES = {
  ...(may('manager', 'admin') ? {status: statusPage} : {}),
  alarms: () => alarmsPage({api, store, person, orSay, record: recordPage({columns: alarmColumns, keyOf: a => a.id, testidOf: a => `alarm-${a.id}`, kind: 'alarm',
    rows: async () => merged((await api.get('/api/alarms?open=false&limit=200')).alarms, openAlarms(store.board), a => a.id),
    history: a => api.get(`/api/alarms/${a.id}`)})}),
  tickets: () => recordPage({columns: ticketColumns, keyOf: x => x.id, testidOf: x => `ticket-${x.id}`, kind: 'ticket',
    rows: async () => (await api.get('/api/tickets?open=false')).tickets, history: x => api.get(`/api/tickets/${encodeURIComponent(x.id)}`)}),
  orders: () => ordersPage({api, store, person, orSay}),
  ...(may('operator', 'technician', 'planner', 'manager', 'admin') ? {reconcile: () => reconcilePage({api, store, orSay, may})} : {}),
  ...(may('planner', 'manager', 'admin') ? {erp: () => erpPage({api, store, orSay, maps: mapsMine})} : {}),
  ...(may('technician', 'planner', 'manager', 'admin') ? {states: () => statesPage({api, store, orSay, may})} : {}),
  ...(mapsMine ? {mapping: () => mappingPage({api, store, orSay, may})} : {}),
  ...(may('planner', 'manager', 'admin') ? {rejects: () => rejectsPage({api, store, orSay})} : {}),
  ...(may('planner', 'sales', 'manager', 'admin') ? {delivery: () => deliveryPage({api, store, orSay, may})} : {}),
  ...(may('technician', 'planner', 'manager', 'admin') ? {assets: () => assetsPage({api, store, orSay})} : {}),
  timeline: timelinePage,
  stops: () => stopsPage({api, store, orSay, colours}),
  trend: trendPage,
  ...(may('admin') ? {devices: () => devicesPage({store, orSay}), people: () => peoplePage({store, orSay, me: person}), audit: () => auditPage({api, store, orSay})} : {}),
}

let page = null
let seconds = 0
const menu = h('button.menu', {type: 'button', testid: 'menu', ariaExpanded: 'false', onclick: () => unfold(header.dataset.open !== 'yes')})
header.append(h('b', 'Andon Hub'), menu, navigation(), h('div.tools', h('a.quiet', {href: '/wall'}, t('console.wall')), h('andon-lang'), account()))
addEventListener('keydown', event => event.key === 'Escape' && unfold(false))
store.subscribe(() => store.status === 'denied' && location.replace(loginAddress(location)))
addEventListener('hashchange', open)
everySecond(() => {
  banner.show(store, zoneOf(store))
  page?.tick?.(++seconds)
})
await boardThere()
open()

/** Charts and tables need the plant's names and zone: wait for the first board, but not for ever. */
function boardThere() {
  return new Promise(done => {
    const stop = store.subscribe(() => {
      if (!store.board) return
      stop()
      done()
    })
    setTimeout(done, 4000)
  })
}

async function whoAmI() {
  const me = await api.me().catch(error => (error.status === 401 ? {} : Promise.reject(error)))
  if (me.person) return me.person
  location.replace(loginAddress(location))
  return new Promise(() => {})
}

function navigation() {
  return h('nav', ...Object.keys(PAGES).map(name => h('a', {href: `#${name}`, data: {page: name, testid: `page-${name}`}}, t(`console.${name}`))))
}

function account() {
  const out = h('button.quiet', {type: 'button', testid: 'logout', onclick: async () => {
    await api.post('/api/logout').catch(() => {})
    location.replace('/login?next=/console')
  }}, t('logout'))
  const password = h('a.quiet', {href: '/login?next=%2Fconsole#password', testid: 'change-password'}, t('password.change'))
  return h('details.account', {testid: 'account'}, h('summary.quiet', say(person.name)), h('div', password, out))
}

/** On a phone the pages stand behind a button that names the one that is open. */
function unfold(open) {
  header.dataset.open = open ? 'yes' : 'no'
  menu.ariaExpanded = String(open)
}

function open() {
  const [wanted] = location.hash.slice(1).split(/[?=]/)
  const name = PAGES[wanted] ? wanted : Object.keys(PAGES)[0]
  for (const link of header.querySelectorAll('nav a')) link.ariaCurrent = link.dataset.page === name ? 'page' : 'false'
  menu.replaceChildren(t(`console.${name}`))
  menu.ariaLabel = t('console.menu', {page: t(`console.${name}`)})
  unfold(false)
  seconds = 0
  page = PAGES[name]()
  main.replaceChildren(page.element)
  page.tick?.(0)
}

/** Runs `work` and says where the page would be what went wrong, with the way to try again. */
async function orSay(place, work) {
  try {
    await work()
    place.replaceChildren()
  } catch (error) {
    if (error.status === undefined) throw error // a bug of ours, not an answer
    const why = error.status === 403 ? t('console.denied') : t('console.failed', {why: say(error.text) || t(error.status === 0 ? 'error.unreachable' : 'error.unknown', {status: error.status, id: error.id || '—'})})
    place.replaceChildren(h('p.trouble', {role: 'alert'}, why))
  }
}

// ------------------------------------------------------------------ pages
function statusPage() {
  const [board, trouble] = [h('andon-status'), h('div')]
  const ask = () => orSay(trouble, async () => board.show({latency: store.board?.health?.latency, ...(await api.get('/api/status'))}, zoneOf(store)))
  return {element: h('div', trouble, board), tick: second => second % STATUS_EVERY === 0 && ask()}
}

function recordPage({columns, keyOf, testidOf, kind, rows, history}) {
  const [table, trouble, lines, photo, hint] = [h('andon-table'), h('div'), h('andon-table'), h('andon-photo-view', {hidden: true}), h('p.table-empty', t('console.pick'))]
  const erp = h('andon-erp-note', {hidden: true})
  table.setup({columns: columns(zoneOf(store)), keyOf, testidOf, file: kind})
  const ask = () => orSay(trouble, async () => (table.rows = await rows()))
  if (history) {
    lines.setup({columns: lineColumns(zoneOf(store), kind), keyOf: line => `${line.at} ${line.after} ${line.event ?? ''}`, file: `${kind}-history`})
    lines.hidden = true
    table.addEventListener('choose', event => told(event.detail))
  }
  const told = row => orSay(trouble, async () => {
    const found = await history(row)
    lines.rows = found.lines
    photo.show(found.ticket?.photo)
    erp.hidden = !found.ticket
    if (found.ticket) erp.show({ticket: found.ticket, erp: found.erp, now: store.now(), zone: zoneOf(store), linked: may('planner', 'manager', 'admin')})
    Object.assign(lines, {hidden: false})
    hint.hidden = true
    lines.scrollIntoView({block: 'nearest'})
  })
  const below = history ? h('section.history', h('h2', t('console.history')), hint, erp, lines, photo) : ''
  return {element: h('div', trouble, table, below), choose: told, tick: second => second % STATUS_EVERY === 0 && ask()}
}

function timelinePage() {
  const [chart, trouble] = [h('andon-chart', {testid: 'timeline'}), h('div')]
  const ask = () => orSay(trouble, async () => {
    const {spans} = await api.get('/api/timeline?hours=8')
    const machines = Object.keys(store.board?.machines ?? {})
    const nameOf = path => say(store.board?.machines?.[path]?.name) || path
    const traces = timelineTraces(spans, machines, {colours: colours(chart), stateWord: state => t(`state.${state}`), nameOf, now: store.now(),
      local: at => localTime(at, zoneOf(store)), lasting: span => age(span, t)})
    chart.style.setProperty('--rows', machines.length)
    await chart.draw(traces, {xaxis: {range: [minutesOf(spans), 0].map(ago)}, yaxis: {autorange: 'reversed', categoryorder: 'array', categoryarray: machines.map(nameOf)}})
  })
  return {element: h('div', trouble, h('h2', t('timeline.heading')), chart), tick: second => second % CHART_EVERY === 0 && ask()}
}

function trendPage() {
  const [chart, trouble] = [h('andon-chart', {testid: 'trend'}), h('div')]
  const tag = h('select', {ariaLabel: t('trend.tag'), onchange: () => ask()}, ...tags().map(([path, name]) => h('option', {value: path}, name)))
  const span = h('select', {onchange: () => ask()}, ...[15, 60, 240, 480].map(n => h('option', {value: n, selected: n === 60}, t('trend.minutes', {n}))))
  const ask = () => orSay(trouble, async () => {
    if (!tag.value) return
    const found = await api.get(`/api/trend?tag=${encodeURIComponent(tag.value)}&minutes=${span.value}`)
    await chart.draw(trendTraces(found.points, {gaps: found.gaps, colours: colours(chart), local: at => localTime(at, zoneOf(store))}), {xaxis: {range: [span.value, 0].map(ago)}, yaxis: {title: {text: found.unit}}})
  })
  return {element: h('div', trouble, h('div.table-tools', tag, span), chart), tick: second => second % CHART_EVERY === 0 && ask()}
}

/** Minutes to show: all eight hours, or since the hub first knew anything. */
function minutesOf(spans) {
  const first = Math.min(...spans.map(span => Date.parse(span.since)), store.now())
  return Math.min(8 * 60, Math.max(15, (store.now() - first) / 60_000))
}

/** The plant's clock so many minutes ago. */
function ago(minutes) {
  return localTime(store.now() - minutes * 60_000, zoneOf(store))
}

function tags() {
  return Object.values(store.board?.machines ?? {}).flatMap(machine =>
    Object.entries(machine.values ?? {}).map(([path, value]) => [path, `${say(machine.name)} · ${say(value.label)}`]))
}

/** Rows of the record, those on the live board in their newest form, and first. */
function merged(recorded, live, keyOf) {
  const known = new Map([...live, ...recorded].reverse().map(row => [keyOf(row), row]))
  return [...known.values()].reverse()
}
