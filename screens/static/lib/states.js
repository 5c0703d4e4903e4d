/** What raw codes mean: rows that people edit, a draft beside the table in use, and pictures of states. No DOM. */

/** Codes seen and codes mapped: those without a state first, then those seen, then the rest, each by number. */
export function stateRows(table, seen) {
  const told = new Map(seen.map(one => [String(one.code), one]))
  const codes = new Set([...told.keys(), ...Object.keys(table.map)])
  const rows = [...codes].map(code => ({code, state: table.map[code] ?? '', seen: told.get(code) ?? null}))
  const rank = row => (row.seen ? (row.state ? 1 : 0) : 2)
  return rows.sort((a, b) => rank(a) - rank(b) || Number(a.code) - Number(b.code))
}

/** With this code as `state`; '' takes it out. */
export function withCode(table, code, state) {
  const map = {...table.map}
  if (state) map[code] = state
  else delete map[code]
  return {...table, map}
}

export const withPreset = (name, map) => ({numbering: name, map: {...map}})

/** Codes that occurred and have no state in this table. */
export const unmapped = (table, seen) => seen.filter(one => !table.map[one.code])

/** What differs, as `difference` lists show it: {path, before, after}. */
export function tableDifferences(before, after) {
  const codes = [...new Set([...Object.keys(before.map), ...Object.keys(after.map)])].sort((a, b) => Number(a) - Number(b))
  const changed = codes.filter(code => before.map[code] !== after.map[code]).map(code => ({code, before: before.map[code] ?? '', after: after.map[code] ?? ''}))
  return before.numbering === after.numbering ? changed : [{code: '', before: before.numbering, after: after.numbering}, ...changed]
}

/** Spans as shares of the width, in percent; what is narrower than `least` goes with its neighbours under the state that lasts longest. */
export function segments(spans, since, until, least = 0.08) {
  const [from, whole] = [Date.parse(since), Date.parse(until) - Date.parse(since)]
  if (!(whole > 0)) return []
  const out = []
  let heap = null
  const put = one => (out.at(-1)?.state === one.state ? Object.assign(out.at(-1), {width: one.left + one.width - out.at(-1).left, until: one.until}) : out.push(one))
  const settle = () => {
    if (heap) put({state: Object.entries(heap.by).sort((a, b) => b[1] - a[1])[0][0], left: heap.left, width: heap.width, since: heap.since, until: heap.until})
    heap = null
  }
  for (const span of spans) {
    const [left, right] = [span.since, span.until].map(at => Math.min(100, Math.max(0, ((Date.parse(at) - from) / whole) * 100)))
    const width = right - left
    if (width >= least) {
      settle()
      put({state: span.state, left, width, since: span.since, until: span.until})
      continue
    }
    heap ??= {left, width: 0, by: {}, since: span.since}
    heap.width = right - heap.left
    heap.until = span.until
    heap.by[span.state] = (heap.by[span.state] ?? 0) + width
    if (heap.width >= least) settle()
  }
  settle()
  return out
}

/** As the plant file has it, ready to be copied. PackML maps hold only what is otherwise there. */
export function asYaml(tag, table, presets) {
  const base = table.numbering.startsWith('packml') ? presets[table.numbering] ?? {} : {}
  const codes = Object.entries(table.map).filter(([code, state]) => base[code] !== state).sort(([a], [b]) => Number(a) - Number(b))
  const lines = ['state:', `  tag: ${tag.split('/').at(-1)}`, `  numbering: ${JSON.stringify(table.numbering)}`]
  return [...lines, ...(codes.length ? ['  map:', ...codes.map(([code, state]) => `    ${code}: ${state}`)] : [])].join('\n')
}

/** A code as it is typed: a whole number of 32 bit, or '' where it is none. */
export function codeOf(text) {
  const trimmed = text.trim()
  return /^-?\d{1,10}$/.test(trimmed) && Math.abs(Number(trimmed)) < 2 ** 31 ? String(Number(trimmed)) : ''
}
