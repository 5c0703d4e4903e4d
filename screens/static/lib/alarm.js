import {isAside} from './board.js'
import {may} from './ticket.js'

/** What people may do to an alarm, and how the hub is asked for it. Pure. */

export const SHELF_HOURS = [0.5, 1, 2, 4, 8, 24] // the hub shelves for a day at most
export const asksWhy = verb => verb === 'shelve' || verb === 'out-of-service'

/** Verbs this person may use on this alarm as it stands, the usual one first. */
export function wishes(alarm, person) {
  if (!alarm || alarm.state === 'normal') return []
  const aside = isAside(alarm)
  const possible = {
    acknowledge: alarm.state === 'unacked' || alarm.state === 'rtn-unacked',
    reset: Boolean(alarm.latched) && !alarm.condition && !aside,
    unshelve: alarm.state === 'shelved',
    return: alarm.state === 'out-of-service',
    shelve: !aside,
    'out-of-service': alarm.state !== 'out-of-service',
  }
  return Object.keys(possible).filter(verb => possible[verb] && may(person, verb === 'reset' ? 'acknowledge' : verb))
}

/** The request behind a verb: {path, body}. `now` in ms since 1970 on the hub's clock. */
export function request(alarm, {verb, reason = '', hours = 0}, now) {
  const path = `/api/alarms/${alarm.id}/${verb}`
  if (verb === 'shelve') return {path, body: {reason, until: new Date(now + hours * 3_600_000).toISOString()}}
  return {path, body: asksWhy(verb) ? {reason} : {}}
}

/** What somebody or the design logic has put aside, the newest first. */
export function putAside(board) {
  return Object.values(board?.alarms ?? {}).filter(isAside)
    .sort((a, b) => String(b.aside?.at ?? '').localeCompare(String(a.aside?.at ?? '')) || a.id - b.id)
}

/** Rules of one machine by name: [{rule, title}], each once. */
export function rulesOf(rules, equipment) {
  const mine = rules.filter(rule => rule.equipment === equipment)
  return [...new Map(mine.map(rule => [rule.rule, {rule: rule.rule, title: rule.title}])).values()]
}
