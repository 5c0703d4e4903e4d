/** The console's state tables: what a machine's raw codes mean, tried on the record as it is edited; saved as versions. */
import {h, mark, put} from '../lib/dom.js'
import {dayClock, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {asYaml, codeOf, stateRows, tableDifferences, unmapped, withCode, withPreset} from '../lib/states.js'
import {zoneOf} from './start.js'
import {pastSection} from './state-past.js'
import '../elements/map-versions.js'
import '../elements/state-lines.js'
import '../elements/state-rows.js'
import '../elements/sure-button.js'

const BASE = '/api/state-tables'
const HOURS = [1, 8, 24, 72, 168]
const PAUSE = 250 // ms without a change before the draft is tried
const TRYING = 60_000 // ms that a week of samples may take

/** What people have changed outlives a look at another page. */
const kept = {machine: '', draft: null, loaded: null, number: 0, latest: 0, hours: 24}

export function statesPage({api, store, orSay, may}) {
  const mayWrite = may('admin')
  let [all, seen, tried, turn, timer] = [null, null, null, 0, 0]
  const past = pastSection({api, store, orSay, mayWrite})
  const parts = build()

  // ------------------------------------------------------------------ asking
  const begin = () => orSay(parts.trouble, async () => {
    all = await api.get(BASE)
    parts.none.hidden = all.machines.length > 0
    parts.body.hidden = !all.machines.length
    parts.machine.replaceChildren(...all.machines.map(m => h('option', {value: m.machine}, m.active ? `${say(m.name)} · ${t('states.by-console', {n: m.active})}` : say(m.name))))
    parts.rows.setup(all.states, mayWrite)
    parts.presets.replaceChildren(...Object.entries(all.presets).map(([name, map]) => h('button.quiet', {type: 'button', testid: `preset-${name}`, onclick: () => change(withPreset(name, map))}, t(`states.preset.${name}`))))
    parts.add.state.replaceChildren(...all.states.map(state => h('option', {value: state}, t(`state.${state}`))))
    const asked = decodeURIComponent(location.hash.split('=')[1] ?? '')
    const first = [asked, kept.machine].find(path => all.machines.some(m => m.machine === path)) ?? all.machines[0]?.machine
    if (first) await choose(first)
  })
  const choose = async machine => {
    if (kept.machine !== machine) Object.assign(kept, {machine, draft: null})
    parts.machine.value = machine
    tried = null
    await look()
    past.of(machine)
    await preview()
  }
  const look = async () => {
    seen = await api.get(`${BASE}/machine?path=${encodeURIComponent(kept.machine)}`)
    if (!kept.draft) load(seen.active, seen.table)
    parts.versions.show({...seen, used: seen.trouble ? -1 : seen.active, zone: zoneOf(store), may: mayWrite})
    put(parts.broken, seen.trouble ? t('states.broken', {n: seen.active, why: seen.trouble}) : '')
    draw()
  }
  const load = (number_, table) => Object.assign(kept, {number: number_, loaded: table, draft: structuredClone(table), latest: seen.latest})
  const tableOf = number_ => (number_ ? seen.versions.find(v => v.number === number_).table : seen.file)
  const preview = async () => {
    const mine = ++turn
    mark(parts.picture, 'busy', 'yes')
    try {
      const found = await api.post(`${BASE}/preview`, {machine: kept.machine, table: kept.draft, hours: kept.hours}, TRYING)
      if (mine === turn) tried = found // else an answer to an older draft
    } finally {
      if (mine === turn) mark(parts.picture, 'busy', '')
    }
    draw()
  }
  const soon = () => {
    clearTimeout(timer)
    timer = setTimeout(() => orSay(parts.trouble, preview), PAUSE)
  }

  // ------------------------------------------------------------------ changing
  const change = draft => {
    kept.draft = draft
    parts.go.hidden = true
    put(parts.said, '')
    draw()
    soon()
  }
  const save = () => orSay(parts.trouble, async () => {
    const found = await api.post(BASE, {machine: kept.machine, table: kept.draft, latest: kept.latest, note: parts.note.value.trim()})
    parts.note.value = ''
    seen = found
    load(found.number, tableOf(found.number))
    await look()
    put(parts.said, t('states.saved', {n: found.number}))
    parts.go.number = found.number
    parts.go.hidden = false
    parts.go.button.focus()
  })
  const activate = number_ => orSay(parts.trouble, async () => {
    seen = await api.post(`${BASE}/activate`, {machine: kept.machine, number: number_, active: seen.active})
    parts.go.hidden = true
    if (!differing().length) load(seen.active, seen.table)
    await look()
    past.clear()
    put(parts.said, t('states.activated', {n: number_}))
    await preview()
  })
  const compare = number_ => {
    put(parts.compared, t('mapping.compared', {active: seen.active, number: number_}))
    drawDifferences(parts.difference, tableDifferences(seen.table, tableOf(number_)))
  }
  const differing = () => tableDifferences(kept.loaded, kept.draft)

  // ------------------------------------------------------------------ drawing
  function draw() {
    if (!seen) return
    const [codes, draft, zone] = [tried?.codes ?? [], kept.draft, zoneOf(store)]
    const open = unmapped(draft, codes)
    put(parts.open, open.length ? t('states.unmapped', {n: open.length, codes: open.map(one => one.code).join(', ')}) : '')
    put(parts.tag, seen.tag)
    parts.rows.show(stateRows(draft, codes), seen.table, zone)
    if (parts.numbering.value !== draft.numbering) parts.numbering.value = draft.numbering
    const changes = differing()
    drawDifferences(parts.unsaved, changes)
    parts.save.disabled = !changes.length
    put(parts.save, changes.length ? t('mapping.save', {n: seen.latest + 1}) : t('mapping.nothing'))
    put(parts.based, changes.length ? t('mapping.based', {n: kept.number}) : '')
    parts.undo.hidden = !changes.length
    put(parts.yaml, asYaml(seen.tag, draft, all.presets))
    drawTried(zone)
  }
  function drawTried(zone) {
    parts.lines.hidden = !tried
    if (!tried) return
    parts.lines.show(tried, zone)
    const share = tried.changed * 100
    put(parts.share, tried.samples ? share ? t('states.changed', {share: share < 0.1 ? '<0.1' : number(share, 1)}) : t('states.same') : t('states.empty'))
    put(parts.gone, [tried.raw_gone && t('states.raw-gone', {at: dayClock(tried.raw_gone, zone)}), tried.cut && t('states.cut', {at: dayClock(tried.since, zone)})].filter(Boolean).join(' '))
  }
  const stateWord = state => (state in all.presets || !all.states.includes(state) ? state || t('states.none') : t(`state.${state}`))
  function drawDifferences(list, changes) {
    list.replaceChildren(...changes.map(({code, before, after}) => h('li', h('b', code === '' ? t('states.numbering') : code), ' ', h('del', stateWord(before)), ' → ', h('ins', stateWord(after)))))
  }

  function build() {
    const label = (name, child) => h('label.field', h('span', t(`states.${name}`)), child)
    const made = {
      trouble: h('div'), broken: h('p.trouble'), none: h('p.table-empty', {hidden: true}, t('states.nowhere')), open: h('p.states-open', {role: 'status', testid: 'states-open'}), tag: h('code'),
      machine: h('select', {testid: 'states-machine'}), hours: h('select', {testid: 'states-hours'}, ...HOURS.map(n => h('option', {value: n, selected: n === kept.hours}, t('states.hours.n', {n})))),
      numbering: h('input', {type: 'text', maxLength: 60, spellcheck: false, disabled: !mayWrite, testid: 'states-numbering'}), presets: h('div.states-presets', {hidden: !mayWrite}),
      rows: document.createElement('andon-state-rows'), lines: document.createElement('andon-state-lines'), share: h('p.states-share', {role: 'status', testid: 'states-share'}), gone: h('p.states-gone', {testid: 'states-gone'}),
      note: h('input', {type: 'text', maxLength: 500, placeholder: t('states.note'), testid: 'states-note'}), save: h('button.button', {type: 'submit', testid: 'states-save'}), undo: document.createElement('andon-sure'),
      go: document.createElement('andon-sure'), said: h('p', {role: 'status', testid: 'states-said'}), unsaved: h('ul.difference', {testid: 'states-unsaved'}), based: h('p.table-empty'),
      versions: h('andon-map-versions', {testid: 'states-versions'}), compared: h('h3'), difference: h('ul.difference'), yaml: h('pre', {tabIndex: 0, testid: 'states-yaml'}),
      add: {code: h('input', {type: 'text', inputMode: 'numeric', size: 8, testid: 'states-add-code'}), state: h('select', {testid: 'states-add-state'})},
    }
    made.undo.setup(t('mapping.undo'), 'states-undo')
    made.go.setup(t('mapping.activate-now'), 'states-activate')
    made.go.hidden = true
    made.machine.onchange = () => orSay(made.trouble, () => choose(made.machine.value))
    made.hours.onchange = () => {
      kept.hours = Number(made.hours.value)
      orSay(made.trouble, preview)
    }
    made.numbering.onchange = () => change({...kept.draft, numbering: made.numbering.value.trim()})
    made.rows.addEventListener('code', ({detail}) => change(withCode(kept.draft, detail.code, detail.state)))
    made.undo.addEventListener('sure', () => change(structuredClone(kept.loaded)))
    made.go.addEventListener('sure', () => activate(made.go.number))
    made.versions.addEventListener('activate', ({detail}) => activate(detail))
    made.versions.addEventListener('compare', ({detail}) => compare(detail))
    made.versions.addEventListener('load', ({detail}) => {
      load(detail, tableOf(detail))
      change(kept.draft)
    })
    const adder = h('form.states-add', {hidden: !mayWrite}, label('code', made.add.code), label('state', made.add.state), h('button.quiet', {type: 'submit', testid: 'states-add'}, t('states.add')))
    adder.onsubmit = event => {
      event.preventDefault()
      const code = codeOf(made.add.code.value)
      mark(made.add.code, 'bad', code ? '' : 'yes')
      if (!code) return made.add.code.focus()
      made.add.code.value = ''
      change(withCode(kept.draft, code, made.add.state.value))
    }
    const form = h('form.map-save', {hidden: !mayWrite}, h('h3', t('mapping.draft')), made.based, made.unsaved, h('label.field', h('span', t('mapping.note')), made.note),
      h('div.desk-buttons', made.save, made.undo), made.go)
    form.onsubmit = event => {
      event.preventDefault()
      save()
    }
    made.picture = h('section.states-picture', h('h3', t('states.preview')), made.share, made.gone, made.lines)
    const left = h('div', made.open, h('div.map-tools', label('numbering', made.numbering), made.presets), made.rows, adder)
    const yaml = h('details', h('summary', t('states.yaml')), made.yaml)
    made.body = h('div', h('div.map-tools', label('machine', made.machine), label('hours', made.hours), made.tag), made.picture,
      h('div.map-pair', left, h('div.map-beside', form, made.said, h('section', yaml))), h('section', h('h2', t('mapping.versions')), made.versions, made.compared, made.difference), past.element)
    made.element = h('div.mapping.states', h('h2', t('states.heading')), made.trouble, made.broken, made.none, made.body)
    return made
  }

  begin()
  return {element: parts.element}
}
