import {everySecond} from '../lib/clock.js'
import {h, keyed, mark, put} from '../lib/dom.js'
import {say, t} from '../lib/i18n.js'
import {hashValues, loginAddress} from '../lib/route.js'
import {inOrder, keyOf, mayExplain, waiting} from '../lib/stops.js'
import {stopsOf} from './stops.js'
import {api, follow, speak, zoneOf} from './start.js'

/** The touch screen at a line or a machine: `/touch?place=p1/stamping/l1`. Stops on the left, the chosen one on the right. */
await speak()
document.title = t('page.touch')
await Promise.all(['stop-list', 'stop-sheet', 'lost-banner', 'lang-switch'].map(name => import(`../elements/${name}.js`)))
const [header, banner, places, main] = ['header', 'andon-lost', 'nav', 'main'].map(tag => document.querySelector(tag))
const person = await whoAmI()
const place = new URLSearchParams(location.search).get('place') ?? ''
const {store} = follow(api)
const stops = stopsOf({api, place, changed: () => render()})
const [list, sheet, title, pick] = [h('andon-stop-list'), h('andon-stop-sheet', {hidden: true}), h('h1'), h('p.none', t('stops.pick'))]

let shown = '' // the stop on the right: it stays there when it has its reason

header.append(title, h('andon-lang'), h('button.quiet', {type: 'button', testid: 'logout', onclick: logout}, `${say(person.name)} · ${t('logout')}`))
main.replaceChildren(list, h('section', pick, sheet))
for (const what of ['explain', 'split', 'merge']) main.addEventListener(what, event => stops[what](event.detail))
main.addEventListener('chosen', () => render())
addEventListener('hashchange', () => {
  stops.calm()
  render()
  sheet.scrollIntoView({block: 'nearest'}) // below the list where both do not fit side by side
})
store.subscribe(() => {
  if (store.status === 'denied') location.replace(loginAddress(location))
  render()
})
everySecond(() => {
  if (store.board) stops.tick(store.board)
  render()
})
render()

async function whoAmI() {
  const me = await api.me().catch(error => (error.status === 401 ? {} : Promise.reject(error)))
  if (me.person) return me.person
  location.replace(loginAddress(location))
  return new Promise(() => {})
}

async function logout() {
  await api.post('/api/logout').catch(() => {})
  location.replace(loginAddress(location))
}

function render() {
  const zone = zoneOf(store)
  const {told, busy, trouble} = stops.state
  banner.show(store, zone)
  put(title, [nameOf(place), t('stops.title')].filter(Boolean).join(' · '))
  nearby()
  const all = inOrder(told?.stops ?? [])
  const asked = hashValues(location.hash).w
  const chosen = all.find(s => keyOf(s) === asked) ?? all.find(s => keyOf(s) === shown) ?? all.find(s => s.waits) ?? all.find(s => !s.end)
  shown = chosen ? keyOf(chosen) : ''
  const with_ = {told, now: store.now(), zone, allowed: mayExplain(person), busy}
  list.show({...with_, chosen: chosen ? keyOf(chosen) : ''})
  sheet.hidden = !chosen
  pick.hidden = Boolean(chosen)
  if (!chosen) put(pick, trouble || t('stops.pick'))
  if (chosen) sheet.show({...with_, stop: chosen, trouble})
}

/** Without a place, or at one that has several lines, somebody chooses where they stand. */
function nearby() {
  const lines = (store.board?.areas ?? []).flatMap(area => area.lines)
  const offered = place ? [] : lines
  places.hidden = offered.length < 2
  keyed(places, offered, line => line.path, path => h('a', {href: `/touch?place=${encodeURIComponent(path)}`}, h('span'), h('small')), (link, line) => {
    put(link.firstChild, say(line.name))
    put(link.lastChild, waiting(store.board, line.path) || '')
    mark(link, 'waits', waiting(store.board, line.path) ? 'yes' : '')
  })
}

function nameOf(path) {
  const lines = (store.board?.areas ?? []).flatMap(area => [area, ...area.lines])
  return say(lines.find(node => node.path === path)?.name ?? store.board?.machines?.[path]?.name)
}
