/** Questions that screens ask of a board. Pure: the time is an argument, in ms since 1970. */

const RANK = {critical: 4, high: 3, medium: 2, low: 1}
const URGENCY = {unacked: 4, acked: 3, 'rtn-unacked': 2, shelved: 1, suppressed: 0, 'out-of-service': 0}
const ABNORMAL = new Set(['fault', 'held', 'unknown'])

export const rank = priority => RANK[priority] ?? 0
export const isUnacknowledged = alarm => alarm.state === 'unacked'
export const isAside = alarm => (URGENCY[alarm.state] ?? 2) < 2

/** Open alarms, most urgent first: what nobody has seen, what somebody has in hand, what is over but was never seen. */
export function openAlarms(board) {
  return Object.values(board?.alarms ?? {}).filter(a => a.state !== 'normal').sort(moreUrgent)
}

function moreUrgent(a, b) {
  return (
    (URGENCY[b.state] ?? 2) - (URGENCY[a.state] ?? 2) ||
    rank(b.priority) - rank(a.priority) ||
    String(a.raised_at ?? '').localeCompare(String(b.raised_at ?? '')) ||
    a.id - b.id
  )
}

const KIND = {unacked: 'alarm', 'rtn-unacked': 'returned'}

/** What the band shows: {kind: 'alarm' | 'handled' | 'returned' | 'calm' | 'doubt', alarm?, more?, lost, unknown}. */
export function wrongNow(board, at = '') {
  const alarms = openAlarms(board).filter(a => !isAside(a))
  const [lost, unknown] = [lostSources(board, at).length, unknownMachines(board)]
  if (alarms.length) return {kind: KIND[alarms[0].state] ?? 'handled', alarm: alarms[0], more: alarms.length - 1, lost, unknown}
  const nothing = !Object.keys(board?.machines ?? {}).length
  return {kind: lost || unknown || nothing ? 'doubt' : 'calm', lost, unknown, nothing}
}

const unknownMachines = board => Object.values(board?.machines ?? {}).filter(m => m.state === 'unknown').length

/** The tone a wall with sound should make: only what nobody has acknowledged, only critical and high. */
export function soundLevel(board) {
  const heard = openAlarms(board).filter(isUnacknowledged).map(a => rank(a.priority))
  const loudest = Math.max(0, ...heard)
  return loudest >= 4 ? 'critical' : loudest === 3 ? 'high' : ''
}

/** How far a number can be believed: {kind: good | uncertain | stale | bad, age: seconds or null}. */
export function freshness(value, now) {
  const at = Date.parse(value?.at)
  const age = Number.isNaN(at) ? null : Math.max(0, (now - at) / 1000)
  if (!value || value.status === 'bad' || value.value === undefined || value.value === null) return {kind: 'bad', age}
  if (age === null || age > (value.stale_after ?? 5)) return {kind: 'stale', age}
  return {kind: value.status === 'uncertain' ? 'uncertain' : 'good', age}
}

/** Age in seconds of the oldest number shown, null when none is shown. */
export function oldestAge(board, now) {
  let oldest = null
  for (const machine of Object.values(board?.machines ?? {})) {
    for (const value of Object.values(machine.values ?? {})) {
      const {age} = freshness(value, now)
      if (age !== null && (oldest === null || age > oldest)) oldest = age
    }
  }
  return oldest
}

/** Of a part of the plant (`at`) only those that a machine there hangs on. */
export function lostSources(board, at = '') {
  return Object.entries(board?.health?.sources ?? {})
    .filter(([, source]) => !source.up && (!at || source.machines?.some(machine => within(machine, at))))
    .map(([name, source]) => ({name, since: source.since}))
}

/** "1号冲压线 冲压机01" as line and machine, so that the machine can stay whole when the line is shortened. */
export function placeOf(where, machine) {
  if (!machine || where === machine || !where.endsWith(machine)) return {line: '', machine: where}
  return {line: where.slice(0, -machine.length).trim(), machine}
}

const BEHIND = 0.95 // of the target so far; docs/api.md counts it since the line is connected

export const isBehind = (good, target) => target > 0 && (good ?? 0) < target * BEHIND

/** Are we on plan? {lines: how many keep up, of: how many have a plan, late: orders that will be}. */
export function planOf(board, lines) {
  const planned = lines.map(line => line.sums).filter(sums => sums.target > 0)
  return {lines: planned.filter(sums => !isBehind(sums.good, sums.target)).length, of: planned.length,
    late: Object.values(board?.orders ?? {}).filter(order => order.late_by > 0).length}
}

/** Machines whose open alarms are all over or put aside: marked, but not in an alarm's colours. */
export function quietMachines(board) {
  const open = openAlarms(board)
  const loud = new Set(open.filter(a => (URGENCY[a.state] ?? 2) > 2).map(a => a.equipment))
  return new Set(open.map(a => a.equipment).filter(path => !loud.has(path)))
}

/** Lines in the order in which they stand on the floor, with their machines; only those at or below `at`. */
export function floor(board, at = '') {
  const found = []
  const quiet = quietMachines(board)
  for (const area of board?.areas ?? []) {
    for (const line of area.lines ?? []) {
      const machines = line.machines.filter(path => within(path, at)).map(path => board.machines?.[path]).filter(Boolean)
      if (machines.length || within(line.path, at)) {
        found.push({path: line.path, name: line.name, area: area.name, machines, quiet, sums: board.lines?.[line.path] ?? {}})
      }
    }
  }
  return found
}

export const within = (path, at) => !at || path === at || path.startsWith(`${at}/`)

/** Machines that must stay visible when there is no room for all. */
export const isAbnormal = machine => Boolean(machine.alarm) || ABNORMAL.has(machine.state)

/** Orders: those whose change the floor has not confirmed, late ones (most late first), then rush, then by due date; finished ones last. */
export function orders(board) {
  return Object.values(board?.orders ?? {}).sort(
    (a, b) =>
      urge(b) - urge(a) ||
      finished(a) - finished(b) ||
      (b.late_by ?? 0) - (a.late_by ?? 0) ||
      Number(b.rush ?? false) - Number(a.rush ?? false) ||
      String(a.due_at ?? '').localeCompare(String(b.due_at ?? '')) ||
      String(a.number).localeCompare(String(b.number)),
  )
}

const urge = order => (order.change ? (order.change.escalated ? 2 : 1) : 0)
const finished = order => Number((order.operations ?? []).length > 0 && order.operations.every(o => o.state === 'done'))

/** Share 0..1 of an operation that is done. */
export function progress(operation) {
  if (operation.state === 'done') return 1
  return operation.quantity > 0 ? Math.min(1, Math.max(0, operation.good / operation.quantity)) : 0
}

/** Pieces that a line of a customer's order was ended without: 298 of 300 made and nothing left to do is 2. */
export const shortBy = ({stage, ordered, made}) => (stage === 'done' ? Math.max(0, ordered - made) : 0)
