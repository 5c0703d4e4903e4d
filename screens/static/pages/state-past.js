/** Below the state tables: the record's states derived anew by the table in use, after a look at what that changes. */
import {h, mark, put} from '../lib/dom.js'
import {age, dayClock, percent} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {instantOf, localOf} from '../lib/rush.js'
import {zoneOf} from './start.js'
import '../elements/state-lines.js'
import '../elements/sure-button.js'

const BASE = '/api/state-tables/history'
const LOOKING = 180_000 // ms that months of samples may take
const DAY = 86_400_000
const LINES = ['recorded', 'derived']

/** `of(machine)` shows another machine; `mayWrite` as for activating. */
export function pastSection({api, store, orSay, mayWrite}) {
  let [machine, seen] = ['', null]
  const parts = build()

  const of = path => orSay(parts.trouble, async () => {
    if (machine !== path) {
      machine = path
      clear()
      parts.since.value = localOf(new Date(store.now() - DAY).toISOString(), zoneOf(store))
    }
    const {done} = await api.get(`${BASE}?path=${encodeURIComponent(path)}`)
    parts.done.replaceChildren(...done.map(doneLine))
    parts.doneHead.hidden = !done.length
  })
  const clear = () => {
    seen = null
    put(parts.said, '')
    draw()
  }
  const look = () => orSay(parts.trouble, async () => {
    const since = instantOf(parts.since.value, zoneOf(store))
    mark(parts.since, 'bad', since ? '' : 'yes')
    if (!since) return parts.since.focus()
    clear()
    mark(parts.element, 'busy', 'yes')
    put(parts.said, t('states.past.looking'))
    try {
      const [asked, found] = [machine, await api.post(`${BASE}/preview`, {machine, since}, LOOKING)]
      if (asked === machine) seen = found
    } finally {
      mark(parts.element, 'busy', '')
      put(parts.said, '')
    }
    draw()
  })
  const apply = () => orSay(parts.trouble, async () => {
    mark(parts.element, 'busy', 'yes')
    try {
      const found = await api.post(BASE, {machine, since: seen.asked, key: seen.key}, LOOKING)
      clear()
      await of(machine)
      put(parts.said, t(found.done ? 'states.past.done' : 'states.past.same'))
    } finally {
      mark(parts.element, 'busy', '')
    }
  })

  function draw() {
    parts.found.hidden = !seen
    if (!seen) return
    const zone = zoneOf(store)
    const share = seen.changed * 100
    put(parts.share, seen.same ? t('states.past.same') : t('states.past.changed', {share: share < 0.1 ? '<0.1' : percent(seen.changed, 1), from: seen.spans.recorded, to: seen.spans.derived}))
    put(parts.span, t('states.past.span', {since: dayClock(seen.since, zone), until: dayClock(seen.until, zone)}))
    put(parts.gone, seen.raw_gone ? t('states.past.gone', {at: dayClock(seen.raw_gone, zone)}) : '')
    parts.lines.show(seen, zone, LINES)
    parts.figures.replaceChildren(figures(seen.figures))
    parts.reasons.replaceChildren(...reasons(seen, zone))
    parts.go.hidden = seen.same || !mayWrite
  }
  function doneLine({at, by, since, until, report}) {
    const zone = zoneOf(store)
    const told = [t('states.past.by', {at: dayClock(at, zone), by}), t('states.past.span', {since: dayClock(since, zone), until: dayClock(until, zone)}), t('states.past.version', {n: report.number})]
    const more = h('div', figures(report.figures), h('ul.past-reasons', ...reasons(report, zone)))
    return h('li', h('details', h('summary', told.join(' · '), report.reasons_left ? h('b.past-left', ` · ${t('states.past.left', {n: report.reasons_left})}`) : ''), sums(report.seconds), more))
  }

  function build() {
    const made = {
      trouble: h('div'), since: h('input', {type: 'datetime-local', testid: 'past-since'}), look: h('button.button', {type: 'submit', testid: 'past-look'}, t('states.past.look')), said: h('p', {role: 'status', testid: 'past-said'}),
      share: h('p.states-share', {testid: 'past-share'}), span: h('p'), gone: h('p.states-gone'), lines: document.createElement('andon-state-lines'), figures: h('div', {testid: 'past-figures'}),
      reasons: h('ul.past-reasons', {testid: 'past-reasons'}), go: document.createElement('andon-sure'), doneHead: h('h3', {hidden: true}, t('states.past.book')), done: h('ul.past-done', {testid: 'past-done'}),
    }
    made.go.setup(t('states.past.apply'), 'past-apply')
    made.go.addEventListener('sure', () => apply())
    made.found = h('div.states-picture', {hidden: true, testid: 'past-found'}, made.share, made.span, made.gone, made.lines, made.figures, made.reasons, made.go)
    const form = h('form.past-form', h('label.field', h('span', t('states.past.since')), made.since), made.look)
    form.onsubmit = event => {
      event.preventDefault()
      look()
    }
    made.since.onchange = () => clear()
    const asking = mayWrite ? [h('p.table-empty', t('states.past.what')), form] : []
    made.element = h('section.states-past', h('h2', t('states.past.heading')), ...asking, made.trouble, made.said, made.found, made.doneHead, made.done)
    return made
  }
  return {element: parts.element, of, clear}
}

const shown = found => (found === null || found === undefined ? '—' : `${percent(found, 1)}%`)

/** Stops and OEE of that time, on record and as they would be. */
function figures(told) {
  const rows = [
    ['stops', one => one.stops], ['lost', one => age(one.lost_seconds, t)], ['availability', one => shown(one.oee.availability)],
    ['oee', one => shown(one.oee.oee)], ['coverage', one => shown(one.oee.coverage)],
  ].map(([name, text]) => {
    const [before, after] = LINES.map(line => String(text(told[line])))
    return h('tr', {data: {changed: before === after ? '' : 'yes'}}, h('th', {scope: 'row'}, t(`states.past.figure.${name}`)), cell('recorded', before), cell('derived', after))
  })
  return table('states.past.figures', rows)
}

function sums(seconds) {
  const states = [...new Set(LINES.flatMap(line => Object.keys(seconds[line])))]
  const rows = states.map(state => {
    const [before, after] = LINES.map(line => (seconds[line][state] ? age(seconds[line][state], t) : '—'))
    return h('tr', {data: {state, changed: before === after ? '' : 'yes'}}, h('th', {scope: 'row'}, h('i.dot'), t(`state.${state}`)), cell('recorded', before), cell('derived', after))
  })
  return table('states.state', rows)
}

const cell = (line, text) => h('td', {data: {title: t(`states.line.${line}`)}}, h('span', text))
const table = (word, rows) => h('div.table-box', h('table.state-sums', h('thead', h('tr', h('th', {scope: 'col'}, t(word)), ...LINES.map(line => h('th', {scope: 'col'}, t(`states.line.${line}`))))), h('tbody', ...rows)))

/** Reasons that people gave and that lie elsewhere then, or at no stop any more. */
function reasons(report, zone) {
  const places = spans => spans.map(([from, until]) => `${dayClock(from, zone)} – ${dayClock(until, zone)}`).join(', ')
  const lines = report.reasons.map(one => h('li', {data: {left: one.after.length ? '' : 'yes'}},
    h('b', one.reason ? say(one.name) || one.reason : t('stops.none')), one.note && ` · ${one.note}`, ` · ${one.by} · ${places(one.before) || '—'} → `,
    one.after.length ? places(one.after) : h('b.past-left', t('states.past.nowhere'))))
  const head = report.reasons_touched ? t('states.past.reasons', {n: report.reasons_touched, left: report.reasons_left}) : t('states.past.no-reasons')
  return [h('li.past-head', head), ...lines]
}
