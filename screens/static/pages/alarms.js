import {putAside, request} from '../lib/alarm.js'
import {h, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {may} from '../lib/ticket.js'
import {asideColumns} from './columns.js'
import {zoneOf} from './start.js'

/**
 * The console's alarms: what is put aside and by whom, the record, and the desk of the alarm that was chosen.
 * `record` is the table of all alarms with its history; `orSay(place, work)` says where the page is what went wrong.
 */
export function alarmsPage({api, store, person, record, orSay}) {
  const [aside, count, none, trouble, place] = [h('andon-table', {testid: 'aside'}), h('small'), h('p.table-empty'), h('div'), h('div')]
  const desk = h('andon-alarm-desk', {hidden: true})
  let chosen = null

  aside.setup({columns: asideColumns(zoneOf(store)), keyOf: a => a.id, testidOf: a => `aside-${a.id}`, file: 'aside'})
  aside.addEventListener('choose', event => record.choose(event.detail))

  function choose(alarm) {
    chosen = alarm
    trouble.replaceChildren()
    draw()
    desk.scrollIntoView({block: 'nearest'})
  }

  function draw() {
    const rows = putAside(store.board)
    aside.rows = rows
    aside.hidden = !rows.length
    put(count, rows.length || '')
    put(none, rows.length ? '' : t('aside.none'))
    desk.hidden = !chosen
    if (!chosen) return
    chosen = store.board?.alarms?.[chosen.id] ?? chosen
    desk.show({alarm: chosen, person, now: store.now(), zone: zoneOf(store)})
  }

  desk.addEventListener('wish', event => orSay(trouble, async () => {
    const {path, body} = request(chosen, event.detail, store.now())
    const {alarm} = await api.post(path, body)
    if (store.board?.alarms?.[alarm.id]) store.board.alarms[alarm.id] = alarm // the board says so too, a moment later
    record.choose(alarm)
    record.tick(0)
  }))

  const element = h('div', h('section.aside', h('h2', t('aside.heading'), count), none, aside), h('h2', t('alarms.heading')),
    record.element, place)
  record.element.querySelector('.history').before(trouble, desk)
  element.addEventListener('choose', event => choose(event.detail))
  if (may(person, 'shelve')) serviceForm(place, {api, record, orSay})
  return {element, tick(second) {
    record.tick(second)
    draw()
  }}
}

/** Taking a machine's rules out of service works while nothing is raised: that is when people begin to work on it. */
async function serviceForm(place, {api, record, orSay}) {
  const [form, trouble] = [h('andon-service-form'), h('div')]
  const ask = (path, said) => event => orSay(trouble, async () => {
    form.said = ''
    const {alarms} = await api.post(path, event.detail)
    form.said = t(said, {n: alarms.length})
    record.tick(0)
  })
  form.addEventListener('takeout', ask('/api/rules/out-of-service', 'service.taken'))
  form.addEventListener('putback', ask('/api/rules/return', 'service.returned'))
  await orSay(trouble, async () => {
    form.rules = (await api.get('/api/rules')).rules
    place.replaceChildren(form, trouble)
  })
  if (!form.isConnected) place.replaceChildren(trouble)
}
