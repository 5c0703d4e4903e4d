/** What /api/status says, as rows. Tolerant: an unknown figure is shown under its own name rather than hidden. Pure. */

/** One row per runner; `parts` is a list or an object by name. */
export function partsOf(status) {
  const parts = status.parts ?? {}
  const rows = Array.isArray(parts) ? parts : Object.entries(parts).map(([name, part]) =>
    typeof part === 'boolean' ? {name, up: part} : {name, ...part})
  return rows.map(part => ({restarts: 0, last_error: '', detail: {}, ...part})).sort(troubledFirst)
}

function troubledFirst(a, b) {
  return Number(a.up) - Number(b.up) || String(a.name).localeCompare(String(b.name))
}

/** One row per data source: {name, up, since, error}. */
export const sourcesOf = status => Object.entries(status.sources ?? {}).map(([name, source]) => ({name, error: '', ...source})).sort(troubledFirst)

/** Every other figure, flattened: [{name: "outbox.oldest_seconds.tell", value: 4.2}]. */
export function figuresOf(status) {
  return Object.entries(status).filter(([key]) => !['parts', 'sources', 'status', 'at'].includes(key)).flatMap(([key, value]) => flat(key, value))
}

function flat(name, value) {
  if (value === undefined) return []
  if (Array.isArray(value)) return [{name, value: value.map(asText).join(', ')}]
  if (typeof value !== 'object' || value === null) return [{name, value}]
  const inside = Object.entries(value)
  return inside.length ? inside.flatMap(([key, inner]) => flat(`${name}.${key}`, inner)) : [{name, value: 0}] // nothing waits
}

/** "outbox.oldest_seconds.tell" with the longest beginning that `t` has a word for: "最久等待 tell". */
export function figureName(name, t) {
  const steps = name.split('.')
  for (let n = steps.length; n > 0; n--) {
    const key = `figure.${steps.slice(0, n).join('.')}`
    if (t(key) !== key) return [t(key), ...steps.slice(n)].join(' ')
  }
  return name
}

export const asText = value => (typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '—'))
const TOLD = new Set(['up', 'last_error']) // in columns of their own

/** "done 87 · in_hand 1": what is empty is left out, moments are told by `when(iso)`. */
export const detailText = (detail, when = iso => iso) => Object.entries(detail ?? {})
  .filter(([key, value]) => !TOLD.has(key) && value !== null && value !== '' && value !== undefined)
  .map(([key, value]) => `${key} ${/^\d{4}-\d\d-\d\dT/.test(value) ? when(value) : asText(value)}`).join(' · ')
