/** Rush orders as people read them. Pure: the time is an argument, in ms since 1970. */

const RUSHERS = new Set(['operator', 'planner', 'manager', 'admin'])
export const SHOWN = 5 // orders that slip and are named at first; the others are behind a button

export const mayRush = person => (person?.roles ?? []).some(role => RUSHERS.has(role))

export const isOpen = order => !(order.operations ?? []).length || order.operations.some(o => o.state !== 'done')

/** What two seconds are enough for: minutes gained (null: cannot be said), how many slip, how many of them become late. */
export function summary(preview) {
  const {winner, losers = [], elsewhere} = preview
  const minutes = winner.minutes ?? null
  return {gain: minutes === null ? null : Math.max(0, -minutes), slip: losers.length + (elsewhere?.count ?? 0), late: preview.newly_late ?? 0,
    still: winner.late_after ?? 0}
}

const MINUTE = 60_000
const LOCAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/
const OFFSET = /GMT([+-])(\d\d):?(\d\d)?$/

/** An instant for "2026-01-05T16:30" as the plant's clocks show it; '' for what is no time. */
export function instantOf(local, zone) {
  const asUtc = LOCAL.test(local) ? Date.parse(`${local}:00Z`) : NaN
  if (Number.isNaN(asUtc)) return ''
  const once = asUtc - offset(asUtc, zone)
  return new Date(asUtc - offset(once, zone)).toISOString().replace('.000Z', 'Z') // the offset that holds then
}

/** The same the other way round, for a field of that kind. */
export function localOf(iso, zone) {
  const at = Date.parse(iso)
  return Number.isNaN(at) ? '' : new Date(at + offset(at, zone)).toISOString().slice(0, 16)
}

function offset(at, zone) {
  const shown = new Intl.DateTimeFormat('en-US', {timeZone: zone || 'UTC', timeZoneName: 'longOffset'}).format(at)
  const [, sign, hours, minutes = '0'] = OFFSET.exec(shown) ?? [null, '+', '0']
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * MINUTE
}

/** Milliseconds in which it can still be undone; 0 when it cannot. */
export function left(rush, now) {
  const until = Date.parse(rush?.undo_until)
  return rush?.state === 'made' && until > now ? until - now : 0
}

/** "9:41", as a clock that runs down. */
export function countdown(ms) {
  const seconds = Math.ceil(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/**
 * Receipts of the newest event, one row for each audience: {event, audience, people, state, at, notifiers, reason}.
 * `state`: failed when no carrier took it, waiting while none has yet, done as soon as one has.
 */
export function receipts(rush) {
  const all = rush?.told ?? []
  const event = all.at(-1)?.event
  const rows = new Map()
  for (const each of all.filter(one => one.event === event)) {
    const row = rows.get(each.audience) ?? {event, audience: each.audience, people: each.people ?? [], all: []}
    row.all.push(each)
    rows.set(each.audience, row)
  }
  return [...rows.values()].map(({all: many, ...row}) => {
    const done = many.filter(one => one.state === 'done')
    const state = done.length ? 'done' : many.every(one => one.state === 'failed') ? 'failed' : 'waiting'
    return {...row, state, at: done.map(one => one.at).sort()[0] ?? null, notifiers: (done.length ? done : many).map(one => one.notifier),
      people: row.people.map(one => ({...one, seen: sawIt(rush, one.id)})), reason: state === 'failed' ? many.find(one => one.reason)?.reason ?? '' : ''}
  })
}

const sawIt = (rush, id) => (rush.seen ?? []).some(one => one.event === rush.state && one.person.id === id)

/** Whether this person was told of it as it stands and has not looked at it before. */
export const owesReceipt = (rush, person) =>
  Boolean(rush && person) && receipts(rush).some(row => row.people.some(one => one.id === person.id)) && !sawIt(rush, person.id)

/** Which sheet is to be seen: confirm, made, refused, undone or none. */
export function stage({rush, preview}) {
  if (rush?.state === 'made' && !preview) return 'made'
  if (preview) return 'confirm'
  return rush?.state ?? 'none'
}

/** The same when a phone sends again what it does not know to have arrived; no crypto on plain http. */
export const newTap = (now, dice) => `${now.toString(36)}-${Math.floor(dice * 2 ** 40).toString(36)}`
