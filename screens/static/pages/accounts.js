/** Console pages about who gets in: wall screens and people. For administrators. */
import {h} from '../lib/dom.js'
import {dayClock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {api, zoneOf} from './start.js'
import '../elements/data-table.js'
import '../elements/device-form.js'
import '../elements/sure-button.js'

const EVERY = 5 // seconds between looks at the list

export function devicesPage({store, orSay}) {
  const [form, table, trouble, chosen] = [h('andon-device-form'), h('andon-table', {testid: 'devices'}), h('div'), h('section.chosen')]
  const {plant, areas = []} = store.board ?? {}
  form.scopes = [plant, ...areas.flatMap(area => [area, ...area.lines])].filter(Boolean)
  table.setup({file: 'screens', keyOf: d => d.id, testidOf: d => `device-${d.id}`, columns: deviceColumns(zoneOf(store))})
  const ask = () => orSay(trouble, async () => (table.rows = (await api.get('/api/devices')).devices))
  form.addEventListener('create', async event => {
    form.trouble = ''
    try {
      const {token} = await api.post('/api/devices', event.detail)
      form.link = `${location.origin}/wall#device=${encodeURIComponent(token)}`
      await ask()
    } catch (error) {
      form.trouble = say(error.text) || t('error.unreachable')
    }
  })
  table.addEventListener('choose', ({detail: device}) => {
    const away = sure(t('devices.revoke'), 'revoke', () => orSay(trouble, async () => {
      await api.remove(`/api/devices/${device.id}`)
      chosen.replaceChildren()
      await ask()
    }))
    chosen.replaceChildren(h('b', device.name), h('p', t('devices.revoke.what')), away)
  })
  const list = h('section', h('h2', t('devices.list')), trouble, table, chosen)
  return {element: h('div.side-by-side', list, form), tick: second => second % EVERY === 0 && ask()}
}

function deviceColumns(zone) {
  return [
    {key: 'name', title: t('devices.name'), text: d => d.name},
    {key: 'where', title: t('devices.scope'), text: d => say(d.where) || d.scope},
    {key: 'made', title: t('devices.made'), text: d => dayClock(d.made_at, zone), sort: d => d.made_at},
    {key: 'seen', title: t('column.seen'), text: d => (d.seen_at ? dayClock(d.seen_at, zone) : t('devices.never')), sort: d => d.seen_at ?? ''},
  ]
}

export function peoplePage({store, orSay, me}) {
  const [table, trouble, chosen] = [h('andon-table', {testid: 'people'}), h('div'), h('section.chosen', h('p', t('people.pick')))]
  table.setup({file: 'people', keyOf: p => p.id, testidOf: p => `person-${p.id}`, columns: peopleColumns(zoneOf(store))})
  const ask = () => orSay(trouble, async () => (table.rows = (await api.get('/api/people')).people))
  table.addEventListener('choose', ({detail: person}) => {
    const name = h('b', `${say(person.name)} (${person.id})`)
    if (person.id === me.id) return chosen.replaceChildren(name, h('p', h('a.quiet', {href: '/login?next=%2Fconsole#password'}, t('password.change'))))
    const reset = sure(t('people.reset'), 'reset-password', () => orSay(trouble, async () => {
      const {password, until} = await api.post(`/api/people/${encodeURIComponent(person.id)}/one-time-password`)
      chosen.replaceChildren(name, h('output.given', {testid: 'one-time-password'}, password),
        h('p', t('people.given', {at: dayClock(until, zoneOf(store))})))
      await ask()
    }))
    chosen.replaceChildren(name, h('p', t('people.reset.what')), reset)
  })
  return {element: h('div.side-by-side', h('section', trouble, table), chosen), tick: second => second % EVERY === 0 && ask()}
}

function peopleColumns(zone) {
  return [
    {key: 'name', title: t('column.person'), text: p => say(p.name)},
    {key: 'id', title: t('login.person'), text: p => p.id},
    {key: 'roles', title: t('column.roles'), text: p => p.roles.map(role => t(`role.${role}`)).join('、')},
    {key: 'scopes', title: t('column.scopes'), text: p => p.scopes.join('、') || '—'},
    {key: 'password', title: t('login.password'), text: p => t(`people.password.${p.password}`)},
    {key: 'sessions', title: t('column.sessions'), text: p => String(p.sessions), sort: p => p.sessions},
    {key: 'seen', title: t('column.seen'), text: p => (p.seen_at ? dayClock(p.seen_at, zone) : '—'), sort: p => p.seen_at},
  ]
}

function sure(word, testid, act) {
  const button = document.createElement('andon-sure')
  button.setup(word, testid)
  button.addEventListener('sure', act)
  return button
}
