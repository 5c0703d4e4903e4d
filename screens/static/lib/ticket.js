import {age} from './format.js'

/** Where a ticket stands, as the row of four buttons shows it. Pure. */

export const CAUSES = ['mechanical', 'electrical', 'tooling', 'material', 'operation', 'other']
const MINUTE = 60_000
const SIDE_EXITS = new Set(['closed', 'false-alarm'])
const BEGUN = new Set(['repairing', 'verifying'])
const WORKERS = new Set(['technician', 'manager', 'admin'])
const DECIDERS = new Set(['manager', 'admin'])
const ACKNOWLEDGERS = new Set(['operator', 'technician', 'manager', 'admin'])

export const isOpen = ticket => !SIDE_EXITS.has(ticket.state)

/** The four steps in order: {verb, at, place: done | next | later}. A step with a time is done. */
export function steps(ticket) {
  const times = [
    ['accept', ticket.accepted_at],
    ['arrive', ticket.arrived_at],
    ['repair', ticket.repaired_at],
    ['close', ticket.closed_at],
  ]
  const over = !isOpen(ticket)
  let next = over ? times.length : times.findIndex(([, at]) => !at)
  if (next < 0) next = times.length
  return times.map(([verb, at], i) => ({
    verb,
    at: at ?? null,
    place: i < next ? 'done' : i === next ? 'next' : 'later',
  }))
}

export const nextStep = ticket => steps(ticket).find(step => step.place === 'next')?.verb ?? ''

/** May this person press this button? Closing by hand, without the machine's proof, is a manager's decision. */
export function may(person, verb) {
  const allowed = verb === 'close' ? DECIDERS : verb === 'acknowledge' ? ACKNOWLEDGERS : WORKERS
  return (person?.roles ?? []).some(role => allowed.has(role))
}

/** Whether the technician, who is there, may say that the repair begins. Nobody has to: its end implies it. */
export const mayBegin = (ticket, person) =>
  isOpen(ticket) && Boolean(ticket.arrived_at) && !ticket.repaired_at && !BEGUN.has(ticket.state) && may(person, 'begin')

/** The ticket as it will stand once the phone's waiting actions have reached the hub. */
export function withWaiting(ticket, items) {
  return items.filter(item => item.ticket === ticket.id && !item.conflict).reduce(apply, ticket)
}

function apply(ticket, {verb, at}) {
  if (verb === 'accept') return {...ticket, accepted_at: ticket.accepted_at ?? at}
  if (verb === 'arrive') return {...ticket, arrived_at: ticket.arrived_at ?? at}
  if (verb === 'begin') return {...ticket, state: 'repairing'}
  if (verb === 'repair') return {...ticket, repaired_at: ticket.repaired_at ?? at}
  return ticket
}

/** Who else has to do with it: [{as: yours | duty | acked | technician, person}]. Nobody is asked for once it is closed. */
export function involved(ticket, alarm, me) {
  if (!isOpen(ticket)) return []
  const found = new Map()
  if (alarm?.owner) found.set(alarm.owner.id, {as: 'duty', person: alarm.owner})
  if (alarm?.acked_by && alarm.acked_by !== alarm.owner?.id) found.set(alarm.acked_by, {as: 'acked', person: {id: alarm.acked_by}})
  if (ticket.technician) found.set(ticket.technician.id, {as: 'technician', person: ticket.technician})
  found.delete(me.id)
  return [...(alarm?.owner?.id === me.id ? [{as: 'yours', person: me}] : []), ...found.values()]
}

const [BEFORE, AFTER, AT_LEAST] = [20, 10, 60] // minutes of curve around a stop

/**
 * Which part of the curve tells the story: {minutes, until}. While it is open the last hour, or since before the stop;
 * once it is closed from before the stop to after the recovery, `until` in ms since 1970, null for now.
 */
export function curveOf(ticket, now) {
  const from = Date.parse(ticket.stopped_at ?? ticket.opened_at) - BEFORE * MINUTE
  const over = ticket.closed_at ? Date.parse(ticket.closed_at) + AFTER * MINUTE : Infinity
  const minutes = Math.ceil((Math.min(now, over) - from) / MINUTE) || AT_LEAST
  return over < now ? {minutes: Math.max(1, minutes), until: over} : {minutes: Math.max(ticket.closed_at ? 1 : AT_LEAST, minutes), until: null}
}

/** How long the machine stood, in words; a dash while nobody knows. */
export const downtime = (ticket, t) => (typeof ticket.downtime_seconds === 'number' ? age(ticket.downtime_seconds, t) : '—')

/** Open tickets, those of this person first, then the oldest stop. */
export function ordered(tickets, personId) {
  return Object.values(tickets ?? {})
    .filter(isOpen)
    .sort(
      (a, b) =>
        Number(b.technician?.id === personId) - Number(a.technician?.id === personId) ||
        String(a.stopped_at ?? a.opened_at).localeCompare(String(b.stopped_at ?? b.opened_at)),
    )
}
