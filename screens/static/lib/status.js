/** What /api/status says, as rows. Tolerant: an unknown figure is shown under its own name rather than hidden. Pure. */

/** One row per runner; `parts` is a list or an object by name. */
export function partsOf(status) {
  const parts = status.parts ?? {}
  const rows = Array.isArray(parts) ? parts : Object.entries(parts).map(([name, part]) =>
    typeof part === 'boolean' ? {name, up: part} : {name, ...part})
  return rows.map(part => ({restarts: 0, last_error: '', detail: {}, ...part})).sort(troubledFirst)
}

function troubledFirst(a, b) {
  return Number(a.up) - Number(b.up) || Number(isWell(a)) - Number(isWell(b)) || String(a.name).localeCompare(String(b.name))
}

/** "断开 · 失败 3 次 · 12:00:05 再试": how the way to a device stands; "—" for what is no device. */
export function circuitText(circuit, t, when = iso => iso) {
  if (!circuit) return '—'
  return [t(`circuit.${circuit.state}`), circuit.failures && t('circuit.failures', {n: circuit.failures}), circuit.next_try && t('circuit.next', {at: when(circuit.next_try)}),
    circuit.state === 'closed' && circuit.last_error && t('circuit.last', {why: troubleText(circuit.last_error, t)})].filter(Boolean).join(' · ')
}

/** "not protected (none) · server's certificate until 12-24": how the line to a source is, what it lost; "—" where nobody knows. */
export function lineText(source, t, when = iso => iso) {
  const {line = {}, lost = {}} = source
  const ends = ['own', 'peer'].filter(whose => line[`${whose}_until`]).map(whose => t(`line.${whose}`, {at: when(line[`${whose}_until`])}))
  const gone = Object.entries(lost).filter(([, n]) => n).map(([why, n]) => t(`line.lost.${why}`, {n}))
  return [line.opened && t('line.open', {how: line.opened}), ...ends, ...gone].filter(Boolean).join(' · ') || '—'
}

/** One row per data source: {name, up, since, error, line, lost}. */
export const sourcesOf = status => Object.entries(status.sources ?? {}).map(([name, source]) => ({name, error: '', ...source})).sort(troubledFirst)

/** What full spools have dropped since they began: [{part, n, of: [[source, n]]}], the most first. */
export function droppedOf(parts) {
  return parts.map(part => ({part, n: part.detail?.spool_dropped_samples ?? 0, of: Object.entries(part.detail?.spool_dropped_of ?? {}).sort(([, a], [, b]) => b - a)}))
    .filter(({n}) => n).sort((a, b) => b.n - a.n)
}

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
    if (t(key) !== key) return [t(key), ...steps.slice(n).map(step => word('figure.of', step, t))].join(' ')
  }
  return name
}

export const asText = value => (typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '—'))
const TOLD = new Set(['up', 'last_error', 'degraded', 'spool_dropped_of']) // in columns of their own, at the head of the page
const isEmpty = value => value === null || value === undefined || value === '' || value === false || (Array.isArray(value) && !value.length)
const isMoment = value => /^\d{4}-\d\d-\d\dT/.test(value)
const isGroup = value => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A word of ours for a name of the hub's; one we do not know stays as it is. */
function word(family, name, t) {
  const key = `${family}.${name.replaceAll(' ', '-')}`
  const found = t(key)
  return found === key ? name : found
}

/** "collector modbus-l3" as "采集 modbus-l3": what it is in our words, which one in the site's. */
export function partName(name, t) {
  const whole = word('part', name, t)
  const [kind, ...rest] = name.split(' ')
  if (whole !== name || !rest.length) return whole
  const about = rest.length > 1 ? [word('part', rest.pop(), t)] : [] // "mes plan tickets"
  return [word('part', kind, t), ...rest, ...about].join(' ')
}

/** "SourceUnavailable: no answer" as "数据源连不上：no answer": what kind of trouble it is in our words, the rest as it was said. */
export function troubleText(text, t) {
  const [kind, ...rest] = String(text ?? '').split(': ')
  const said = word('trouble', kind, t)
  return said === kind ? String(text ?? '') : [said, ...rest].join(': ')
}

/** Parts of several processes have the same name: those that do are told with where they run. */
export const partKey = part => `${part.name} @${part.process ?? ''}`

export function partTitle(part, parts, t) {
  const name = partName(part.name, t)
  const alike = parts.filter(other => other.name === part.name)
  return alike.length > 1 && part.process ? `${name} · ${part.process}` : name
}

/** "完成 87 · 在办 1": what is empty is left out, moments are told by `when(iso)`; groups by name, the troubled ones first. */
export function detailText(detail, t, when = iso => iso) {
  const entries = Object.entries(detail ?? {}).filter(([key]) => !TOLD.has(key))
  const plain = said(entries.filter(([, value]) => !isGroup(value)), t, when)
  const groups = entries.filter(([, value]) => isGroup(value)).sort(([, a], [, b]) => Number(isTroubled(b)) - Number(isTroubled(a)))
  return [plain, ...groups.map(([name, group]) => `${name}: ${said(Object.entries(group), t, when)}`)].filter(Boolean).join('; ')
}

/** Nothing of it needs anybody: up, without an error, nothing dropped, and so is all that it carries. */
export const isWell = row => Boolean(row.up && !row.last_error && !row.error && !row.detail?.degraded && !row.detail?.spool_dropped_samples && !Object.values(row.detail ?? {}).some(value => isGroup(value) && isTroubled(value)))

/** 'up', 'down', or 'degraded': it runs, and does not do all that it is there for. */
export const upWord = row => (!row.up ? 'down' : row.detail?.degraded ? 'degraded' : 'up')

const isTroubled = group => Boolean(group.last_error || group.dead || group.held_seconds)

const said = (entries, t, when) => entries.filter(([, value]) => !isEmpty(value)).map(([key, value]) =>
  (value === true ? word('detail', key, t) : `${word('detail', key, t)} ${told(key, value, when)}`)).join(' · ')

function told(key, value, when) {
  if (isMoment(value)) return when(value)
  if (Array.isArray(value)) return value.map(asText).join(', ')
  return key.endsWith('_seconds') ? `${asText(value)} s` : asText(value)
}
