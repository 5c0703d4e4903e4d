import {number} from './format.js'

/** What the office has changed about orders, as the floor reads it. Pure. `t` and `when(iso)` say it in words. */

const ACKNOWLEDGERS = new Set(['operator', 'technician', 'manager', 'admin'])
const WEIGHT = ['state', 'quantity', 'product', 'operations', 'due_at', 'rush', 'priority'] // what must be known first
const ENDED = new Set(['held', 'cancelled', 'completed'])

export const mayConfirm = person => (person?.roles ?? []).some(role => ACKNOWLEDGERS.has(role))

/** held, cancelled or completed; empty while it may be worked on. */
export const standing = order => (ENDED.has(order?.state) ? order.state : '')

/** How loudly a change asks to be seen: '' none, 'waiting', 'late' once nobody has confirmed it in time. */
export const urgency = order => (order?.change ? (order.change.escalated ? 'late' : 'waiting') : '')

/** Orders whose change nobody has confirmed: those that are overdue first, then the oldest. */
export function unconfirmed(board) {
  return Object.values(board?.orders ?? {}).filter(order => order.change).sort((a, b) =>
    Number(b.change.escalated) - Number(a.change.escalated) || a.change.at.localeCompare(b.change.at) || a.number.localeCompare(b.number))
}

/** [{field, before, after, text}]: the weightiest first. A change of state is its outcome, everything else "before → after". */
export function changes(order, t, when) {
  const told = Object.entries(order.change?.changed ?? {})
  const place = name => (WEIGHT.includes(name) ? WEIGHT.indexOf(name) : WEIGHT.length)
  return told.sort(([a], [b]) => place(a) - place(b)).map(([field, {before, after}]) => {
    const [from, to] = [before, after].map(value => valueOf(field, value, t, when))
    return {field, before: from, after: to, text: sentence(field, from, to, after, t)}
  })
}

/** One line for a wall: the weightiest change, and how many more. */
export function headline(order, t, when) {
  const found = changes(order, t, when)
  return found.length ? found[0].text + (found.length > 1 ? ` ${t('change.more', {n: found.length - 1})}` : '') : ''
}

function sentence(field, before, after, raw, t) {
  if (field === 'state') return t(`change.state.${raw}`)
  if (field === 'rush') return t(raw ? 'change.rush' : 'change.no-rush')
  return `${t(`change.${field}`)} ${before}→${after}`
}

function valueOf(field, value, t, when) {
  if (value === null || value === undefined || value === '') return '—'
  if (field === 'due_at') return when(value)
  if (field === 'state') return t(`change.state.${value}`)
  if (Array.isArray(value)) return value.join('、') || '—'
  return typeof value === 'number' ? number(value) : String(value)
}
