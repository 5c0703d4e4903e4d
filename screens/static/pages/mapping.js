/** The console's field maps: a draft of what goes where, tried on live records as it is typed; saved as versions. */
import {h, mark, put} from '../lib/dom.js'
import {documentAsked, fieldAsked, mapAsked} from '../lib/erp.js'
import {say, t} from '../lib/i18n.js'
import {SIDES, asBefore, differences, probeWords, rowsOf, tablesOf, toSave, withRow, withTable, withValue, withVariants, withoutRow} from '../lib/mapping.js'
import {zoneOf} from './start.js'
import '../elements/map-adder.js'
import '../elements/map-rows.js'
import '../elements/map-versions.js'
import '../elements/sure-button.js'
import '../elements/value-tables.js'

const EVERY = 5 // seconds between looks at the versions
const PAUSE = 250 // ms without a key before the draft is tried
const PROBING = 65_000 // ms that a test of the whole draft may take
const BASE = '/api/erp/mappings'
const ASKED = ['mapping-untried', 'mapping-unknown-field'] // may be activated all the same

/** What people have typed outlives a look at another page. */
const kept = {draft: null, loaded: null, number: 0, latest: 0, document: '', tested: null}

export function mappingPage({api, store, orSay, may}) {
  const mayWrite = may('admin')
  let [seen, file, face, tried, variant, turn, timer, adding] = [null, null, null, null, -1, 0, 0, '']
  const parts = build()
  const site = () => kept.draft[kept.document] ?? {}
  const layered = () => face.layered
  const owned = () => (variant < 0 ? face.own : {})
  const here = () => (variant < 0 ? site() : site().variants?.[variant] ?? {})
  const place = () => (variant < 0 ? '' : `variants[${(face.layered ? face.own.variants.length : 0) + variant}].`)

  // ------------------------------------------------------------------ asking
  const begin = () => orSay(parts.trouble, async () => {
    await overview()
    file = (await api.get(`${BASE}/versions/0`)).documents
    if (!kept.draft) await load(seen.active)
    await choose(documentAsked(mapAsked(location.hash), seen.documents, seen.meanings) || documentAsked(kept.document, seen.documents) || seen.documents[0])
    show(fieldAsked(location.hash))
  })
  const overview = async () => {
    seen = await api.get(BASE)
    parts.versions.show({...seen, zone: zoneOf(store), may: mayWrite})
    put(parts.broken, seen.trouble ? t('mapping.broken', {active: seen.active, used: seen.used, why: seen.trouble}) : '')
  }
  const load = async number => {
    kept.loaded = (await api.get(`${BASE}/versions/${number}`)).documents
    kept.draft = structuredClone(kept.loaded)
    kept.number = number
    kept.latest = Math.max(number, seen.latest ?? 0) // what others save from now on is not in this draft
  }
  const choose = async name => {
    if (!name) return
    Object.assign(kept, {document: name})
    variant = -1
    face = await api.get(`${BASE}/documents/${encodeURIComponent(name)}`)
    fillChoices()
    draw()
    await preview()
  }
  /** The row that a letter was refused for, with its expression ready to be changed. */
  const show = field => {
    const row = field && parts.element.querySelector(SIDES.map(side => `[data-testid="row-${side}-${CSS.escape(field)}"]`).join(','))
    if (!row) return
    row.scrollIntoView({block: 'center'})
    mark(row, 'wanted', 'yes')
    row.querySelector('input').focus({preventScroll: true})
  }
  const preview = async () => {
    const mine = ++turn
    const block = structuredClone(site())
    const {key, text} = adding ? parts[adding].adder.row : {}
    const whole = variant < 0 ? block : block.variants?.[variant]
    if (key && text && whole) whole[adding] = {...(!layered() && variant < 0 ? Object.fromEntries(rowsOf(face.own, block, adding, false).map(r => [r.key, r.text])) : whole[adding]), [key]: text}
    const found = await api.post(`${BASE}/documents/${encodeURIComponent(kept.document)}/preview`, {block, ours: Number(parts.ours.value || 0), theirs: Number(parts.theirs.value || 0)})
    if (mine !== turn) return // an answer to older words
    tried = found
    draw()
  }
  const soon = () => {
    clearTimeout(timer)
    timer = setTimeout(() => orSay(parts.trouble, preview), PAUSE)
  }

  // ------------------------------------------------------------------ changing
  const change = block => {
    if (variant < 0) kept.draft[kept.document] = block
    else kept.draft[kept.document] = withVariants(site(), site().variants.map((v, i) => (i === variant ? {when: v.when, ...block} : v)))
    put(parts.said, '')
    parts.probe.replaceChildren()
    parts.anyway.hidden = true
    draw()
    soon()
  }
  const save = () => orSay(parts.trouble, async () => {
    const found = await api.post(BASE, {documents: toSave(file, kept.draft), latest: kept.latest, note: parts.note.value.trim()})
    parts.note.value = ''
    await load(found.number)
    await overview()
    draw()
    put(parts.said, t('mapping.saved', {n: found.number}))
    parts.go.hidden = false
    parts.go.number = found.number
    parts.go.button.focus()
  })
  const activate = (number, anyway = false) => orSay(parts.trouble, async () => {
    mark(parts.said, 'bad', '')
    parts.anyway.hidden = true
    const doubt = anyway ? '' : await doubtOf(number)
    if (doubt) return ask(doubt, number)
    put(parts.said, t('mapping.trying'))
    try {
      await api.post(`${BASE}/versions/${number}/activate`, {active: seen.active, ...(anyway ? {anyway} : {})}, PROBING)
    } catch (error) {
      put(parts.said, '')
      if (!['mapping-fails', ...ASKED].includes(error.code)) throw error
      return ask(say(error.text), number, ASKED.includes(error.code))
    }
    await overview()
    if (!unsaved().length) await load(number)
    parts.go.hidden = true
    parts.probe.replaceChildren()
    put(parts.said, t('mapping.activated', {n: number}))
    await choose(kept.document)
  })
  const ask = (words, number, mayBe = true) => {
    put(parts.said, words)
    mark(parts.said, 'bad', 'yes')
    parts.anyway.number = number
    parts.anyway.hidden = !mayBe
    if (mayBe) parts.anyway.button.focus({preventScroll: true})
    parts.said.scrollIntoView({block: 'center'}) // the versions stand far below
  }
  /** Why a version that never ran should not be: what its test has found, which is run where nobody has. */
  const doubtOf = async number => {
    if (!number || seen.versions.find(v => v.number === number)?.activated_at) return ''
    const {documents} = await api.get(`${BASE}/versions/${number}`)
    if (!kept.tested || differences(kept.tested.documents, documents).length) await tryOut(documents)
    return kept.tested.red.length ? t('mapping.red', {why: kept.tested.red.join('; ')}) : ''
  }
  const test = () => orSay(parts.trouble, () => tryOut(kept.draft))
  const tryOut = async documents => {
    parts.test.disabled = true
    put(parts.said, t('mapping.testing'))
    try {
      const asked = toSave(file, documents)
      const found = await api.post(`${BASE}/test`, {documents: asked}, PROBING)
      put(parts.said, found.sound ? found.trouble || t('mapping.sound') : t(found.complaints.length ? 'mapping.unsound' : 'mapping.fails'))
      mark(parts.said, 'bad', found.sound ? '' : 'yes')
      const lines = [...found.complaints.map(said => ({said, bad: true})), ...found.tried.map(triedLine),
        ...found.warnings.map(({document, field}) => ({said: t('mapping.strange', {document: titleOf(document), field}), odd: true, red: true})),
        ...Object.entries(found.probe).map(([name, said]) => ({said: `${titleOf(name)}: ${probeSaid(said)}`, bad: /✗/.test(said), red: /✗/.test(said)}))]
      const unfinished = found.trouble ? [t('mapping.unfinished', {why: found.trouble})] : []
      // what is unsound needs no question: the hub refuses it
      const red = found.sound ? [...unfinished, ...lines.filter(line => line.red).map(line => line.said)] : []
      kept.tested = {documents: structuredClone({...file, ...asked}), red}
      parts.probe.replaceChildren(...lines.map(({said, bad, odd}) => h('li', {data: {bad: bad ? 'yes' : '', odd: odd ? 'yes' : ''}}, said)))
    } finally {
      parts.test.disabled = false
    }
  }
  /** What a look at the ERP has found; its own words where it has complained. */
  const probeSaid = said => {
    const found = probeWords(said)
    return found ? t(found.key, found.values) : said
  }
  /** "报修单 · 写入 ERP · 新报修: 20 条里 0 条能写入" and why the first of them cannot. */
  const triedLine = one => {
    const where = [titleOf(one.document), t(`mapping.side.${one.side}`), say(one.what)].filter(Boolean).join(' · ')
    const count = one.records ? t(`mapping.tried.${one.side}`, {sound: one.sound, n: one.records}) : t('mapping.untried')
    const why = one.records === one.sound ? say(one.reason) : [one.field, say(one.record), say(one.reason)].filter(Boolean).join(' · ')
    return {said: [`${where}: ${count}`, why].filter(Boolean).join('; '), bad: one.fails, odd: !one.fails && (!one.records || one.sound < one.records)}
  }
  const compare = number => orSay(parts.trouble, async () => {
    const [now, then] = await Promise.all([seen.active, number].map(n => api.get(`${BASE}/versions/${n}`)))
    put(parts.compared, t('mapping.compared', {active: seen.active, number}))
    drawDifferences(parts.difference, differences(now.documents, then.documents))
  })
  const unsaved = () => differences(kept.loaded, kept.draft)

  // ------------------------------------------------------------------ drawing
  function build() {
    const made = {
      trouble: h('div'), broken: h('p.trouble'), versions: h('andon-map-versions', {testid: 'map-versions'}), documents: h('nav.parts'),
      ours: h('select', {ariaLabel: t('mapping.record.ours'), testid: 'record-ours'}), theirs: h('select', {ariaLabel: t('mapping.record.theirs'), testid: 'record-theirs'}),
      result: h('pre', {testid: 'map-written', tabIndex: 0}), away: h('p.table-empty'), note: h('input', {maxLength: 500, placeholder: t('mapping.note.hint'), testid: 'map-note'}),
      save: h('button.button', {type: 'submit', testid: 'map-save'}), test: h('button.quiet', {type: 'button', testid: 'map-test'}, t('mapping.test')),
      said: h('p', {role: 'status', testid: 'map-said'}), probe: h('ul.probe'), difference: h('ul.difference'), unsaved: h('ul.difference', {testid: 'map-unsaved'}), compared: h('h3'),
      undo: document.createElement('andon-sure'), go: document.createElement('andon-sure'), anyway: document.createElement('andon-sure'), based: h('p.table-empty'), tables: h('andon-value-tables'),
      variants: h('select', {ariaLabel: t('mapping.variant'), testid: 'map-variant'}), when: h('input', {type: 'text', spellcheck: false, maxLength: 2000, testid: 'map-when', ariaLabel: t('mapping.when')}),
      whenTold: h('small', {role: 'status'}), more: h('button.quiet', {type: 'button', testid: 'variant-add'}, t('mapping.variant.add')), less: h('button.quiet', {type: 'button'}, t('mapping.variant.drop')),
    }
    for (const side of SIDES) made[side] = sidePart(side)
    made.undo.setup(t('mapping.undo'), 'map-undo')
    made.go.setup(t('mapping.activate-now'), 'map-activate')
    made.anyway.setup(t('mapping.anyway'), 'map-anyway')
    made.go.hidden = made.anyway.hidden = true
    return made
  }

  function sidePart(side) {
    const [rows, adder] = [h('andon-map-rows'), h('andon-map-adder', {hidden: true})]
    const open = h('button.button', {type: 'button', hidden: !mayWrite, testid: `open-${side}`}, t(`mapping.add.${side}`))
    const [erp, ours] = [t('mapping.their-field'), t('mapping.our-field')]
    rows.setup({side, left: side === 'write' ? erp : ours, right: t(`mapping.expression.${side}`)})
    adder.setup({side, to: {label: side === 'write' ? erp : ours, hint: t('mapping.find')}, from: {label: side === 'write' ? ours : erp, hint: t('mapping.find')}})
    open.onclick = () => {
      adder.hidden = !adder.hidden
      adding = adder.hidden ? '' : side
      if (!adder.hidden) adder.focus()
    }
    adder.addEventListener('try', () => {
      adding = side
      soon()
    })
    adder.addEventListener('add', ({detail}) => {
      adding = ''
      adder.hidden = true
      adder.clear()
      change(withRow(owned(), here(), side, detail.key, detail.text, layered() || variant >= 0))
      rows.querySelector(`[data-testid="row-${side}-${CSS.escape(detail.key)}"] input`)?.focus()
    })
    rows.addEventListener('edit', ({detail}) => change(withRow(owned(), here(), side, detail.key, detail.text, layered() || variant >= 0)))
    rows.addEventListener('drop', ({detail}) => change(withoutRow(owned(), here(), side, detail, layered() || variant >= 0)))
    rows.addEventListener('back', ({detail}) => change(asBefore(here(), side, detail)))
    return {rows, adder, open, element: h('section', h('div.map-head', h('h3', t(`mapping.side.${side}`)), open), adder, rows)}
  }

  function fillChoices() {
    const fieldTitle = f => [f.title, f.group].filter(Boolean).join(' · ')
    const mine = face.names.map(({name, example}) => ({value: name, title: say(face.titles[name]), hint: example === null || example === '' ? '' : t('mapping.example', {value: typeof example === 'object' ? JSON.stringify(example) : example})}))
    const [used, read] = SIDES.map(side => new Set(rowsOf(face.own, site(), side, layered()).map(row => row.key)))
    const seenFields = face.fields.length ? face.fields : Object.keys(face.theirs[0] ?? {}).map(name => ({name, title: '', group: '', type: '', write: '', read: name}))
    const theirs = key => seenFields.filter(f => f[key]).map(f => ({value: f[key], title: fieldTitle(f), hint: f.type, taken: key === 'write' && used.has(f.write)}))
    parts.write.adder.choices = {to: theirs('write'), from: mine}
    parts.read.adder.choices = {to: [...read].map(name => ({value: name, title: say(face.titles[name]), taken: true})), from: theirs('read')}
    for (const [select, records, name] of [[parts.ours, face.ours, r => say(r.title)], [parts.theirs, face.theirs, (r, i) => `${t('mapping.record')} ${i + 1} · ${Object.values(r).filter(v => typeof v === 'string' && v).slice(0, 2).join(' · ')}`]]) {
      select.replaceChildren(...records.map((record, i) => h('option', {value: i}, name(record, i))))
      select.closest('label').hidden = !records.length
    }
    put(parts.away, [...new Set([face.fields_trouble, face.theirs_trouble])].filter(Boolean).map(why => t('mapping.away', {why})).join(' '))
  }

  function draw() {
    if (!face) return
    parts.documents.replaceChildren(...seen.documents.map(name => h('button', {type: 'button', ariaPressed: String(name === kept.document), testid: `map-${name}`,
      data: {changed: differences(kept.loaded[name] ?? {}, kept.draft[name] ?? {}).length ? 'yes' : ''}, onclick: () => orSay(parts.trouble, () => choose(name))}, titleOf(name))))
    const titles = Object.fromEntries(face.fields.flatMap(f => [[f.write, f.title], [f.name, f.title]]))
    const ours = Object.fromEntries(Object.entries(face.titles).map(([name, words]) => [name, say(words)]))
    for (const side of SIDES) {
      const rows = rowsOf(owned(), here(), side, layered() || variant >= 0)
      const prefix = `${place()}${side}.`
      const results = Object.fromEntries(Object.entries(tried?.rows ?? {}).filter(([at]) => at.startsWith(prefix)).map(([at, row]) => [at.slice(prefix.length), row]))
      parts[side].rows.show({rows, titles: side === 'write' ? titles : ours, tried: results, may: mayWrite})
      parts[side].adder.show(results[parts[side].adder.row.key])
      parts[side].element.hidden = !rows.length && !mayWrite
    }
    drawVariants()
    parts.tables.show({tables: tablesOf(face.own, site()), may: mayWrite})
    parts.result.textContent = tried?.written ? JSON.stringify(tried.written, null, 1) : '—'
    const left = unsaved()
    drawDifferences(parts.unsaved, left)
    put(parts.based, t('mapping.based', {n: kept.number}))
    parts.save.disabled = !left.length || tried?.sound === false
    put(parts.save, left.length ? t('mapping.save', {n: (seen.latest ?? 0) + 1}) : t('mapping.nothing'))
    parts.undo.hidden = !left.length
    if (left.length) parts.go.hidden = true
  }

  function drawVariants() {
    const all = site().variants ?? []
    const options = [[-1, t('mapping.variant.none')], ...all.map((v, i) => [i, `${t('mapping.when')} ${v.when}`])]
    parts.variants.replaceChildren(...options.map(([value, text]) => h('option', {value, selected: value === variant}, text)))
    parts.more.hidden = !mayWrite
    parts.less.hidden = parts.when.hidden = variant < 0
    parts.less.hidden ||= !mayWrite
    if (variant >= 0 && parts.when !== document.activeElement) parts.when.value = all[variant]?.when ?? ''
    const row = variant >= 0 ? tried?.rows[`${place()}when`] : null
    put(parts.whenTold, row ? say(row.error ?? row.remark) || t(row.value ? 'mapping.holds' : 'mapping.holds-not') : '')
    mark(parts.whenTold, 'bad', row?.error ? 'yes' : '')
  }

  function drawDifferences(list, rows) {
    list.replaceChildren(...rows.map(({place: at, before, after}) => h('li', h('b', named(at)), ' ', before === undefined ? '' : h('del', before), ' ', after === undefined ? '' : h('ins', after === '' ? t('mapping.left-out') : after))))
  }

  /** `ticket › write › F_X` with the document's name as people know it. */
  function named(at) {
    const [document, ...rest] = at.split(' › ')
    return [titleOf(document), ...rest].join(' › ')
  }

  function titleOf(name) {
    if (name.endsWith('.source')) return t('mapping.source-of', {document: titleOf(name.slice(0, -'.source'.length))})
    const known = t(`mapping.of.${name}`)
    return known === `mapping.of.${name}` ? name : known
  }

  // ------------------------------------------------------------------ hands
  parts.ours.onchange = parts.theirs.onchange = soon
  parts.test.onclick = test
  parts.test.hidden = parts.save.hidden = parts.note.hidden = !mayWrite
  parts.undo.addEventListener('sure', () => orSay(parts.trouble, async () => {
    kept.draft = structuredClone(kept.loaded)
    variant = -1
    await preview()
  }))
  parts.go.addEventListener('sure', () => activate(parts.go.number))
  parts.anyway.addEventListener('sure', () => activate(parts.anyway.number, true))
  parts.tables.addEventListener('value', ({detail}) => {
    kept.draft[kept.document] = withValue(face.own, site(), detail.table, detail.ours, detail.theirs)
    draw()
    soon()
  })
  parts.tables.addEventListener('table', ({detail}) => {
    kept.draft[kept.document] = withTable(site(), detail)
    draw()
  })
  parts.variants.onchange = () => {
    variant = Number(parts.variants.value)
    draw()
  }
  parts.more.onclick = () => {
    kept.draft[kept.document] = withVariants(site(), [...(site().variants ?? []), {when: "starts_with(equipment_path, '')"}])
    variant = site().variants.length - 1
    draw()
    soon()
    parts.when.focus()
  }
  parts.less.onclick = () => {
    kept.draft[kept.document] = withVariants(site(), site().variants.filter((_, i) => i !== variant))
    variant = -1
    draw()
    soon()
  }
  parts.when.oninput = () => {
    kept.draft[kept.document] = withVariants(site(), site().variants.map((v, i) => (i === variant ? {...v, when: parts.when.value} : v)))
    draw()
    soon()
  }
  parts.versions.addEventListener('activate', ({detail}) => activate(detail))
  parts.versions.addEventListener('compare', ({detail}) => compare(detail))
  parts.versions.addEventListener('load', ({detail}) => orSay(parts.trouble, async () => {
    await load(detail)
    await choose(kept.document)
  }))
  const form = h('form.map-save', h('h3', t('mapping.draft')), parts.based, parts.unsaved, h('label.field', h('span', t('mapping.note')), parts.note),
    h('div.desk-buttons', parts.save, parts.test, parts.undo), parts.said, parts.go, parts.anyway, parts.probe)
  form.onsubmit = event => {
    event.preventDefault()
    save()
  }
  const help = h('details.map-help', h('summary', t('mapping.help')), h('ul', ...['field', 'text', 'table', 'if', 'local', 'cut', 'over'].map(name => h('li', h('code', t(`mapping.help.${name}`)), ' ', t(`mapping.help-of.${name}`)))))
  const left = h('div', h('div.map-tools', h('label.field', h('span', t('mapping.variant')), parts.variants), parts.more, parts.when, parts.whenTold, parts.less),
    parts.write.element, parts.read.element, h('section', h('h3', t('mapping.tables')), parts.tables), help)
  const beside = h('div.map-beside', form, h('section', h('h3', t('mapping.preview')), h('label.field', h('span', t('mapping.record.ours')), parts.ours), h('label.field', h('span', t('mapping.record.theirs')), parts.theirs), parts.away, parts.result))
  parts.element = h('div.mapping', h('h2', t('mapping.heading')), parts.trouble, parts.broken, parts.documents, h('div.map-pair', left, beside),
      h('section', h('h2', t('mapping.versions')), parts.versions, parts.compared, parts.difference))
  begin()
  return {
    element: parts.element,
    tick: second => second > 0 && second % EVERY === 0 && seen && orSay(parts.trouble, overview),
  }
}
