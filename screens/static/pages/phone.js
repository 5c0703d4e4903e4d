import {request} from '../lib/alarm.js'
import {orders} from '../lib/board.js'
import {mayConfirm} from '../lib/change.js'
import {browserClock, everySecond} from '../lib/clock.js'
import {h, mark, put} from '../lib/dom.js'
import {say, t} from '../lib/i18n.js'
import {icon} from '../lib/icons.js'
import {Queue} from '../lib/queue.js'
import {hashValues, loginAddress} from '../lib/route.js'
import {isOpen as isOpenOrder, mayRush} from '../lib/rush.js'
import {openShelf} from '../lib/shelf.js'
import {keyOf, mayExplain, waiting} from '../lib/stops.js'
import {curveOf, isOpen, withWaiting} from '../lib/ticket.js'
import {rushOf} from './rush.js'
import {mayShare, shareOf} from './share.js'
import {changesOf} from './changes.js'
import {stopsOf} from './stops.js'
import {api, follow, speak, storage, zoneOf} from './start.js'

const KNOWN = 'andon.person' // who was logged in last, for a start without network
const UNSETTLED = new Set(['waiting', 'refused']) // how a ticket stands in the ERP, while that will change
const RETELL = 1000 // ms between two askings for the steps of a ticket that has moved on
const SALES_EVERY = 15_000 // ms
const FORGET_DETAIL = 5000 // ms after which an open ticket is asked for again when the board does not carry it

await speak()
document.title = t('page.phone')
await Promise.all(['ticket-list', 'ticket-page', 'repair-form', 'close-form', 'notices', 'alarm-desk', 'rush-sheet', 'share-links', 'sales-list', 'order-list', 'change-card', 'stop-list', 'stop-sheet', 'lost-banner', 'lang-switch']
  .map(name => import(`../elements/${name}.js`)))

let due = false // a drawing is already asked for
const page = document.querySelector('#page')
const notices = document.createElement('andon-notices')
document.querySelector('#notices').replaceWith(notices)
const banner = document.querySelector('andon-lost')
const state = {person: await whoAmI(), details: new Map(), alarms: new Map(), asking: new Set(), missing: new Set(), busy: false, why: '', trouble: '', view: ''}
const shelf = await openShelf()
const queue = new Queue({shelf, send, onChange: () => soon()})
await queue.open()
const {store} = follow(api)
const confirming = changesOf({api, changed: () => soon()})
const rush = rushOf({api, person: state.person, now: () => store.now(), changed: () => soon()})
const share = shareOf({api, changed: () => soon()})
const stops = stopsOf({api, changed: () => soon()})
const sales = {told: null, at: -Infinity, trouble: ''}

store.subscribe(() => {
  if (store.status === 'denied') location.replace(loginAddress(location))
  if (store.status === 'live' || store.status === 'polling') flush()
  soon()
})
addEventListener('hashchange', () => {
  state.trouble = ''
  stops.calm()
  render()
})
addEventListener('online', flush)
notices.addEventListener('understood', event => queue.dismiss(event.detail))
page.addEventListener('acknowledge', event => attempt(() => api.post(`/api/alarms/${event.detail}/acknowledge`, {note: ''})))
page.addEventListener('wish', event => wish(event.detail))
page.addEventListener('rush', event => rush.rush(event.detail))
page.addEventListener('due', event => rush.foresee(event.detail))
page.addEventListener('undo', () => rush.undo())
page.addEventListener('share', () => share.share())
page.addEventListener('revoke', event => share.revoke(event.detail))
page.addEventListener('confirm', event => confirming.confirm(event.detail))
page.addEventListener('step', event => step(event.detail))
page.addEventListener('repaired', event => act('repair', event.detail, true))
page.addEventListener('closing', event => closeByHand(event.detail))
for (const what of ['explain', 'split', 'merge']) page.addEventListener(what, event => stops[what](event.detail))
page.addEventListener('chosen', () => render())
page.addEventListener('cancelled', () => (location.hash = `t=${asked().t}`))
everySecond(() => {
  rush.tick()
  if (asked().w && store.board) stops.tick(store.board)
  render()
})
render()
flush()

/** The person of this session; without network the one who was here last; else the login page. */
async function whoAmI() {
  try {
    const {person} = await api.me()
    if (!person) throw Object.assign(new Error('a wall screen'), {status: 401})
    storage()?.setItem(KNOWN, JSON.stringify(person))
    return person
  } catch (error) {
    const known = error.status === 401 || error.status === 403 ? null : storage()?.getItem(KNOWN)
    if (known) return JSON.parse(known)
    location.replace(loginAddress(location))
    return new Promise(() => {}) // the page is going away
  }
}

// ------------------------------------------------------------------ acting
function step(verb) {
  if (verb === 'repair' || verb === 'close') location.hash = `t=${asked().t}&do=${verb}`
  else act(verb)
}

/** First onto the shelf with the time of the tap, then to the hub. */
async function act(verb, body = {}, back = false) {
  await queue.add({ticket: asked().t, verb, body, person: state.person.id, at: new Date(store.now()).toISOString()})
  if (back) location.hash = `t=${asked().t}`
  render()
  await flush()
}

async function send({ticket, verb, body, at}) {
  const photo = body.photo ? (await api.photo(body.photo)).id : undefined
  const word = verb === 'repair' ? 'repaired' : verb
  const answer = await api.post(`/api/tickets/${encodeURIComponent(ticket)}/${word}`, {...body, ...(photo && {photo}), device_time: at})
  remember(answer)
}

/** Put aside, returned, reset: never kept for later, an alarm may have changed until then. */
async function wish(detail) {
  const alarm = state.alarms.get(asked().a)
  const {path, body} = request(alarm, detail, store.now())
  await attempt(async () => state.alarms.set(String(alarm.id), (await api.post(path, body)).alarm))
}

async function closeByHand(reason) {
  const id = asked().t
  const closed = await attempt(async () => remember(await api.post(`/api/tickets/${encodeURIComponent(id)}/close`, {reason})))
  if (closed) location.hash = `t=${id}`
}

async function flush() {
  state.why = await queue.flush(state.person.id)
  render()
}

/** Something that is not kept for later: say at once when it did not work. */
async function attempt(work) {
  state.busy = true
  state.trouble = ''
  try {
    await work()
    return true
  } catch (error) {
    if (error.status === 401) location.replace(loginAddress(location))
    state.trouble = say(error.text) || t(error.status === 0 ? 'error.unreachable' : 'error.unknown', {status: error.status, id: error.id || '—'})
    return false
  } finally {
    state.busy = false
    render()
  }
}

// ------------------------------------------------------------------ showing
function asked() {
  return hashValues(location.hash)
}

function soon() {
  if (due) return
  due = true
  requestAnimationFrame(() => {
    due = false
    render()
  })
}

function render() {
  const zone = zoneOf(store)
  banner.show(store, zone)
  notices.show({items: queue.items, person: state.person, why: state.why, lasting: shelf.lasting, zone, trouble: state.trouble,
    online: navigator.onLine})
  if (!store.board && !queue.items.length) return view('loading', () => h('p.none.loading', t('loading')))
  const {t: id, a, o, do: verb} = asked()
  if (!o) {
    rush.open('')
    share.open('')
  }
  if (a) alarmView(a, zone)
  else if (asked().w) stopsView(asked().w, zone)
  else if (o === '*') ordersView(zone)
  else if (asked().s) salesView(zone)
  else if (o) rushView(o, zone)
  else if (id) ticketView(id, verb, zone)
  else listView(zone)
}

function listView(zone) {
  const list = view('list', () => h('div',
    h('header.page-head', h('h1', 'Andon Hub'), h('andon-lang'), logoutButton()), h('andon-changes', {hidden: true}), stopsLink(), h('andon-ticket-list'), salesLink(), ordersLink(),
    h('p.list-foot', h('a.plain', {href: '/login?next=%2Fphone#password', testid: 'change-password'}, t('password.change')))))
  const changed = mayConfirm(state.person) ? confirming.waiting(store.board) : []
  list?.querySelector('andon-changes').show({orders: changed, allowed: true, state: confirming.state, now: store.now(), zone})
  tellStops(list)
  list?.querySelector('andon-ticket-list')
    .show({board: store.board ?? {}, person: state.person, queue: queue.items, now: store.now(), zone})
}

function ticketView(id, verb, zone) {
  const found = known(id)
  if (!found) return view(`missing ${id}`, () => h('div', h('header.page-head', h('a.back', {href: '#', ariaLabel: t('phone.back')}, icon('back'))), h('p.none', state.details.get(id)?.missing ? t('phone.gone') : t('loading'))))
  const {ticket, alarm, lines, erp} = found
  if (verb === 'repair' && !ticket.repaired_at) return form(`repair ${id}`, 'andon-repair', ticket)
  if (verb === 'close' && isOpen(ticket)) return form(`close ${id}`, 'andon-close', ticket)
  const shown = view(`ticket ${id}`, () => h('andon-ticket-page'))
  shown.show({ticket: withWaiting(ticket, queue.items), alarm, lines, erp, machine: store.board?.machines?.[ticket.equipment],
    person: state.person, now: store.now(), zone, busy: state.busy, waiting: queue.items.some(i => i.ticket === id && !i.conflict)})
  if (alarm?.subject) trend(shown, alarm, ticket)
}

/** An alarm by itself: what it is and what may be done to it. */
function alarmView(id, zone) {
  const alarm = store.board?.alarms?.[id] ?? state.alarms.get(id)
  if (!alarm) askAlarm(id)
  const shown = view(`alarm ${id}`, () => h('div', h('header.page-head', h('a.back', {href: '#', ariaLabel: t('phone.back')}, icon('back'))),
    h('p.none'), h('andon-alarm-desk', {hidden: true})))
  shown.querySelector('.none').textContent = alarm ? '' : state.missing.has(id) ? t('phone.alarm-gone') : t('loading')
  const desk = shown.querySelector('andon-alarm-desk')
  desk.hidden = !alarm
  if (!alarm) return
  state.alarms.set(id, alarm)
  desk.show({alarm, person: state.person, now: store.now(), zone, busy: state.busy})
}

async function askAlarm(id) {
  if (state.asking.has(id)) return
  state.asking.add(id)
  try {
    state.alarms.set(id, (await api.get(`/api/alarms/${encodeURIComponent(id)}`)).alarm)
  } catch (error) {
    if (!error.isPassing) state.missing.add(id)
    else setTimeout(() => state.asking.delete(id), FORGET_DETAIL)
  }
  soon()
}

// ------------------------------------------------------------------ why machines stood
const stopsLink = () => h('a.button.to-orders.to-stops', {href: '#w=*', testid: 'stops'})

function tellStops(list) {
  const link = list?.querySelector('.to-stops')
  if (!link) return
  const n = waiting(store.board)
  mark(link, 'waits', n ? 'yes' : '')
  put(link, n ? t('stops.link', {n}) : t('stops.title'))
}

/** All of them, those that need a reason first; or one. */
function stopsView(asked, zone) {
  const {told, busy, trouble} = stops.state
  const common = {told, now: store.now(), zone, allowed: mayExplain(state.person), busy}
  const stop = told?.stops.find(s => keyOf(s) === asked)
  if (stop) {
    const shown = view(`stop ${asked}`, () => h('div', backTo('#w=*', t('stops.title')), h('andon-stop-sheet')))
    return shown.querySelector('andon-stop-sheet').show({...common, stop, trouble})
  }
  const shown = view('stops', () => h('div', backTo('#', t('stops.title')), h('p.trouble', {role: 'alert'}), h('andon-stop-list')))
  put(shown.querySelector('.trouble'), trouble || (told && asked !== '*' ? t('stops.moved') : ''))
  shown.querySelector('andon-stop-list').show(common)
}

// ------------------------------------------------------------------ orders
const openOrders = () => orders(store.board).filter(isOpenOrder)

function ordersLink() {
  if (!mayRush(state.person)) return ''
  return h('a.button.to-orders', {href: '#o=*', testid: 'orders'}, icon('rush'), t('rush.orders'))
}

function salesLink() {
  if (!state.person.roles.includes('sales')) return ''
  return h('a.button.to-orders', {href: '#s=*', testid: 'sales'}, t('sales.title'))
}

/** A seller's own customers' orders, asked for again while they are looked at. */
function salesView(zone) {
  if (browserClock.now() - sales.at >= SALES_EVERY) askSales()
  const shown = view('sales', () => h('div', backTo('#', t('sales.title')), h('andon-sales-list')))
  shown.querySelector('andon-sales-list').show({...sales.told, now: store.now(), zone, trouble: sales.trouble})
}

async function askSales() {
  sales.at = browserClock.now()
  try {
    Object.assign(sales, {told: await api.get('/api/sales'), trouble: ''})
  } catch (error) {
    sales.trouble = say(error.text) || t('error.unreachable')
  }
  soon()
}

function backTo(href, title) {
  return h('header.page-head', h('a.back', {href, ariaLabel: t('phone.back')}, icon('back')), h('h1', title))
}

function ordersView(zone) {
  const shown = view('orders', () => h('div', backTo('#', t('rush.orders')), h('andon-order-list')))
  shown.querySelector('andon-order-list').show({orders: openOrders(), zone})
}

function rushView(number, zone) {
  rush.open(number)
  const shown = view(`rush ${number}`, () => h('div', backTo(mayRush(state.person) ? '#o=*' : '#s=*', t('rush.title')), h('p.none'), h('andon-rush', {hidden: true}), h('andon-share', {hidden: true})))
  const {answer, busy, trouble, due, foreseen} = rush.state
  const order = answer?.order ?? store.board?.orders?.[number]
  shown.querySelector('.none').textContent = order ? '' : trouble || t('loading')
  const sheet = shown.querySelector('andon-rush')
  sheet.hidden = !order
  if (order) sheet.show({order, answer, person: state.person, now: store.now(), zone, due, foreseen, busy, trouble})
  const links = shown.querySelector('andon-share')
  links.hidden = !order || !mayShare(state.person)
  if (links.hidden) return
  share.open(number)
  links.show({...share.state, zone})
}

function form(name, tag, ticket) {
  view(name, () => Object.assign(document.createElement(tag), {ticket}))
}

/** Builds a view once and keeps it while it is the one shown, so that what somebody types is not lost. */
function view(name, build) {
  if (state.view !== name) {
    state.view = name
    page.replaceChildren(build())
    scrollTo(0, 0)
  }
  return page.firstElementChild
}

function logoutButton() {
  return h('button.plain', {type: 'button', testid: 'logout', onclick: async () => {
    await api.post('/api/logout').catch(() => {})
    storage()?.removeItem(KNOWN)
    location.replace('/login?next=/phone')
  }}, `${say(state.person.name)} · ${t('logout')}`)
}

// ------------------------------------------------------------------ what a ticket is made of
/** From the board while it is open there; a closed one is asked for. */
function known(id) {
  const kept = state.details.get(id)
  const ticket = store.board?.tickets?.[id]
  const age = kept ? browserClock.now() - kept.at : Infinity
  const moved = ticket && (kept?.told !== ticket.state || (ticket.erp_number ?? '') !== (kept.ticket?.erp_number ?? '')) // the ERP may answer later
  if (ticket ? (moved && age > RETELL) || (UNSETTLED.has(kept?.erp?.state) && age > FORGET_DETAIL) : age > FORGET_DETAIL) ask(id)
  if (ticket) return {ticket, alarm: store.board.alarms?.[ticket.alarm_id] ?? kept?.alarm, lines: kept?.lines, erp: kept?.erp}
  return kept?.ticket ? kept : null
}

async function ask(id) {
  state.details.set(id, {...state.details.get(id), at: browserClock.now()})
  try {
    remember(await api.get(`/api/tickets/${encodeURIComponent(id)}`))
  } catch (error) {
    if (error.status === 404 || error.status === 403) state.details.set(id, {missing: true, at: browserClock.now()})
  }
  soon()
}

/** `told`: the state up to which the steps are known. */
function remember({ticket, alarm, lines, erp}) {
  if (!ticket) return
  const kept = state.details.get(ticket.id)
  state.details.set(ticket.id, {ticket, alarm: alarm ?? kept?.alarm, lines: lines ?? kept?.lines, erp: erp ?? kept?.erp,
    told: lines ? ticket.state : kept?.told, at: browserClock.now()})
}

/** Once when it is opened, each minute while it goes on, and once more with the recovery. */
async function trend(shown, alarm, ticket) {
  const {minutes, until} = curveOf(ticket, store.now())
  const wanted = `${alarm.id} ${minutes} ${until}`
  if (shown.trendOf === wanted) return
  shown.trendOf = wanted
  const end = until === null ? '' : `&until=${encodeURIComponent(new Date(until).toISOString())}`
  const found = await api.get(`/api/trend?tag=${encodeURIComponent(alarm.subject)}&minutes=${minutes}${end}`).catch(() => ({points: []}))
  if (shown.trendOf === wanted) shown.trend(found.points, alarm, found.unit, zoneOf(store))
}
