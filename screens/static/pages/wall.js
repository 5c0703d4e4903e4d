import {floor, isAside, openAlarms, orders, planOf, soundLevel, wrongNow} from '../lib/board.js'
import {putAside} from '../lib/alarm.js'
import {everySecond} from '../lib/clock.js'
import {say, t} from '../lib/i18n.js'
import {hashValues} from '../lib/route.js'
import {api, follow, speak, zoneOf} from './start.js'

const at = new URLSearchParams(location.search).get('at') ?? '' // part of the plant, e.g. p1/stamping
let due = false // a drawing is already asked for
const find = selector => document.querySelector(selector)

await speak()
document.title = t('page.wall')
await Promise.all([import('../elements/band.js'), import('../elements/floor.js'), import('../elements/shortlist.js'),
  import('../elements/alarm-row.js'), import('../elements/order-row.js'), import('../elements/trust.js'),
  import('../elements/lost-banner.js'), import('../elements/lang-switch.js'), import('../elements/sound-switch.js'),
  import('../elements/login-hint.js')])
await becomeDevice()

const [band, plan, alarms, jobs] = ['andon-band', 'andon-floor', '#alarms', '#orders'].map(find)
const {store} = follow(api)

alarms.setup({tag: 'andon-alarm', key: a => a.id, fill: (row, alarm) => row.show(alarm, store.board?.machines?.[alarm.equipment]?.name), empty: t('alarms.none'),
  heading: t('alarms.heading')})
jobs.setup({tag: 'andon-order', key: o => o.number, empty: t('orders.none'), heading: t('orders.heading'),
  fill: (row, order) => {
    row.zone = zoneOf(store)
    row.order = order
  }})
store.subscribe(soon)
everySecond(render)
render()

/** `#device=TOKEN` makes this browser a wall screen; the token leaves the address at once. */
async function becomeDevice() {
  const {device} = hashValues(location.hash)
  if (!device) return
  history.replaceState(null, '', location.pathname + location.search)
  await api.post('/api/device-login', {token: device}).catch(() => {}) // the board then says that it may not be seen
}

/** Many patches, one drawing. */
function soon() {
  if (due) return
  due = true
  requestAnimationFrame(() => {
    due = false
    render()
  })
}

function render() {
  const {board} = store
  const [now, zone] = [store.now(), zoneOf(store)]
  find('andon-lost').show(store, zone)
  find('andon-trust').show(store, zone, at && nameOf(board, at), at)
  find('andon-login-hint').show(store.status === 'denied', store.why)
  find('andon-sound').level = store.status === 'live' || store.status === 'polling' ? soundLevel(board) : ''
  find('aside').hidden = !board
  if (!board) return void (band.loading = t('loading'))
  draw(board, now, zone)
}

function draw(board, now, zone) {
  const lines = floor(board, at)
  band.scene = {found: wrongNow(board, at), board, now, zone, plan: planOf(board, lines)}
  plan.lines = lines
  document.documentElement.dataset.empty = lines.some(line => line.machines.length) ? '' : 'yes'
  find('#empty').textContent = lines.length ? '' : t('floor.none')
  const aside = putAside(board).length
  alarms.note = aside ? t('aside.count', {n: aside}) : ''
  alarms.items = openAlarms(board).filter(alarm => !isAside(alarm))
  jobs.items = orders(board)
  for (const part of [plan, alarms]) part.tick(now, zone)
}

function nameOf(board, path) {
  const lines = (board?.areas ?? []).flatMap(area => [area, ...area.lines])
  return say(lines.find(node => node.path === path)?.name) || path
}
