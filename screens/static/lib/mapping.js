/** A draft of field maps: the connector's own map, what the site lays over it, and the rows people edit. No DOM. */

export const SIDES = ['write', 'read']

/** Rows of one side, what the site has added first: {key, text, origin}; origin is own, site (added), changed or gone. */
export function rowsOf(own, site, side, layered = true) {
  const [base, laid] = [own?.[side] ?? {}, site?.[side] ?? {}]
  if (!layered) return Object.entries(Object.keys(laid).length ? laid : base).map(([key, text]) => ({key, text, origin: laid[key] === undefined ? 'own' : 'site'}))
  const rows = Object.entries(base).map(([key, text]) => {
    if (laid[key] === undefined || laid[key] === text) return {key, text, origin: 'own'}
    return laid[key] === '' ? {key, text, origin: 'gone'} : {key, text: laid[key], origin: 'changed', was: text}
  })
  const added = Object.entries(laid).filter(([key]) => base[key] === undefined).map(([key, text]) => ({key, text, origin: 'site'}))
  return [...added.reverse(), ...rows]
}

/** The site's block with this row as `text`; what is as the connector has it is not said again. */
export function withRow(own, site, side, key, text, layered = true) {
  const base = own?.[side] ?? {}
  const laid = {...(!layered && !Object.keys(site?.[side] ?? {}).length ? base : site?.[side])}
  if (layered && base[key] === text) delete laid[key]
  else laid[key] = text
  return tidy({...site, [side]: laid})
}

/** Without this row: taken out where the connector has it, forgotten where only the site has. */
export function withoutRow(own, site, side, key, layered = true) {
  if (layered && own?.[side]?.[key] !== undefined) return withRow(own, site, side, key, '')
  const laid = {...(!layered && !Object.keys(site?.[side] ?? {}).length ? own?.[side] : site?.[side])}
  delete laid[key]
  return tidy({...site, [side]: laid})
}

/** As the connector has it again. */
export function asBefore(site, side, key) {
  const laid = {...site?.[side]}
  delete laid[key]
  return tidy({...site, [side]: laid})
}

/** Value tables, the site's over the connector's: {name: [{ours, theirs, own}]}. */
export function tablesOf(own, site) {
  const names = new Set([...Object.keys(own?.tables ?? {}), ...Object.keys(site?.tables ?? {})])
  return Object.fromEntries([...names].map(name => {
    const [base, laid] = [own?.tables?.[name] ?? {}, site?.tables?.[name] ?? {}]
    return [name, Object.entries({...base, ...laid}).map(([ours, theirs]) => ({ours, theirs, own: laid[ours] === undefined}))]
  }))
}

/** `theirs` undefined: the row is the connector's again, or gone. */
export function withValue(own, site, table, ours, theirs) {
  const laid = {...site?.tables?.[table]}
  if (theirs === undefined || String(own?.tables?.[table]?.[ours]) === String(theirs)) delete laid[ours]
  else laid[ours] = theirs
  const tables = {...site?.tables, [table]: laid}
  if (!Object.keys(laid).length && own?.tables?.[table] && Object.keys(own.tables[table]).length) delete tables[table]
  return tidy({...site, tables})
}

export function withTable(site, name) {
  return {...site, tables: {...site?.tables, [name]: site?.tables?.[name] ?? {}}}
}

export function withVariants(site, variants) {
  return tidy({...site, variants})
}

function tidy(block) {
  return Object.fromEntries(Object.entries(block).filter(([, value]) => value && (typeof value !== 'object' || Object.keys(value).length)))
}

/** What is different: [{place, before, after}], each row, table value and variant by itself. */
export function differences(before, after) {
  const [old, now] = [flat(before), flat(after)]
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].filter(place => old[place] !== now[place])
    .map(place => ({place, before: old[place], after: now[place]}))
}

function flat(value, path = '') {
  if (value === null || typeof value !== 'object') return {[path]: String(value)}
  const rows = Object.entries(value)
  return rows.reduce((all, [key, inner]) => ({...all, ...flat(inner, path ? `${path} › ${Array.isArray(value) ? Number(key) + 1 : key}` : key)}), {})
}

/** Every document of the draft that is not as the file has it: what a version has to hold. */
export function toSave(file, draft) {
  const names = new Set([...Object.keys(file), ...Object.keys(draft)])
  return Object.fromEntries([...names].filter(name => differences(file[name] ?? {}, draft[name] ?? {}).length).map(name => [name, draft[name] ?? {}]))
}

/** Those that hold every word of the question, the best first. */
export function matching(items, question, most = 60) {
  const words = question.toLowerCase().split(/\s+/).filter(Boolean)
  const text = item => `${item.value} ${item.title} ${item.hint ?? ''}`.toLowerCase()
  const found = items.filter(item => words.every(word => text(item).includes(word)))
  const starts = item => (words.length && [item.value, item.title].some(word => word.toLowerCase().startsWith(words[0])) ? 0 : 1)
  return found.sort((a, b) => starts(a) - starts(b)).slice(0, most)
}

/** A value or a record's part as one line. */
export function shown(value) {
  if (value === null || value === undefined) return '—'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** What stands in the document then: null is left out, an empty text is written and empties the ERP's field. */
export function given(value, side, t) {
  if (side === 'write' && value === null) return t('mapping.left-out')
  return side === 'write' && value === '' ? t('mapping.empty-text') : shown(value)
}

const PROBED = [
  [/^(?<form>.+?): (?<n>\d+) (?:fields|attributes|columns)$/, 'mapping.probe.fields'],
  [/^(?<form>.+?): (?<n>\d+) (?:fields|attributes|columns), without (?<fields>.+)$/, 'mapping.probe.without'],
  [/^✗ (?<form>[^:]+?) has no (?:writable )?(?<fields>[^;: ]+(?:, [^;: ]+)*)(?:;.*)?$/, 'mapping.probe.lacks'],
  [/^✓ (?<what>[^ ]+)$/, 'mapping.probe.good'],
  [/^✗ (?<why>.+)$/s, 'mapping.probe.bad'],
]

/** A connector tells people what it has found in English: {key, values} of the words for it; null for what is none of these. */
export function probeWords(said) {
  for (const [pattern, key] of PROBED) {
    const found = pattern.exec(said)
    if (found) return {key, values: {...found.groups}}
  }
  return null
}
