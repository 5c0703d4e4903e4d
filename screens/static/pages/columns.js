import {progress, rank} from '../lib/board.js'
import {standing, urgency} from '../lib/change.js'
import {age, clock, dayClock, number, percent} from '../lib/format.js'
import {receipts} from '../lib/rush.js'
import {downtime} from '../lib/ticket.js'
import {say, t} from '../lib/i18n.js'

const at = (iso, zone) => (iso ? dayClock(iso, zone) : '—')

export function alarmColumns(zone) {
  return [
    {key: 'priority', title: t('column.priority'), text: a => t(`priority.${a.priority}`), sort: a => rank(a.priority), look: a => ({priority: a.priority})},
    {key: 'where', title: t('column.where'), text: a => say(a.where)},
    {key: 'title', title: t('column.title'), text: a => say(a.title)},
    {key: 'state', title: t('column.state'), text: a => t(`alarm.state.${a.state}`) + (a.blind ? ` · ${t('alarm.blind')}` : '')},
    {key: 'value', title: t('column.value'), text: reading, sort: a => a.value},
    {key: 'raised', title: t('column.raised'), text: a => at(a.raised_at, zone), sort: a => a.raised_at},
    {key: 'owner', title: t('column.owner'), text: a => say(a.owner?.name) || '—'},
    {key: 'count', title: t('column.count'), text: a => number(a.count ?? 1), sort: a => a.count},
    {key: 'ticket', title: t('column.ticket'), text: a => a.ticket ?? '—'},
  ]
}

export function asideColumns(zone) {
  return [
    {key: 'state', title: t('column.state'), text: a => t(`alarm.state.${a.state}`)},
    {key: 'where', title: t('column.where'), text: a => say(a.where)},
    {key: 'title', title: t('column.title'), text: a => say(a.title)},
    {key: 'holds', title: t('column.holds'), text: a => t(a.condition ? 'aside.holds' : 'aside.fine'), sort: a => Number(a.condition)},
    {key: 'by', title: t('column.by'), text: a => say(a.aside?.by?.name) || t('aside.logic')},
    {key: 'since', title: t('column.since'), text: a => at(a.aside?.at, zone), sort: a => a.aside?.at},
    {key: 'until', title: t('column.until'), text: a => at(a.aside?.until, zone), sort: a => a.aside?.until},
    {key: 'reason', title: t('column.reason'), text: a => say(a.aside?.reason) || '—'},
  ]
}

function reading(alarm) {
  if (typeof alarm.value !== 'number') return '—'
  const limit = typeof alarm.limit === 'number' ? ` / ${number(alarm.limit, 1)}` : ''
  return `${number(alarm.value, Number.isInteger(alarm.value) ? 0 : 1)}${limit} ${alarm.unit ?? ''}`.trim()
}

export function ticketColumns(zone) {
  return [
    {key: 'number', title: t('column.number'), text: x => x.id},
    {key: 'erp', title: t('column.erp'), text: x => x.erp_number ?? '—'},
    {key: 'where', title: t('column.where'), text: x => say(x.where)},
    {key: 'title', title: t('column.title'), text: x => say(x.title)},
    {key: 'state', title: t('column.state'), text: x => t(`ticket.state.${x.state}`)},
    {key: 'technician', title: t('column.technician'), text: x => say(x.technician?.name) || '—'},
    {key: 'stopped', title: t('column.stopped'), text: x => at(x.stopped_at, zone), sort: x => x.stopped_at},
    {key: 'proof', title: t('column.proof'), text: x => proof(x, zone), sort: x => x.reset_at},
    {key: 'closed', title: t('column.closed'), text: x => at(x.closed_at, zone), sort: x => x.closed_at},
    {key: 'downtime', title: t('column.downtime'), text: x => downtime(x, t), sort: x => x.downtime_seconds ?? null},
    {key: 'cause', title: t('column.cause'), text: x => (x.cause ? `${t(`cause.${x.cause_class || 'other'}`)}: ${x.cause}` : '—')},
  ]
}

/** The machine's own word that it runs, and its good pieces since. */
const proof = (x, zone) => (x.reset_at ? `${clock(x.reset_at, zone)} · ${Math.min(x.good_cycles ?? 0, x.cycles_needed ?? 1)}/${x.cycles_needed ?? 1}` : '—')

export function orderColumns(zone) {
  return [
    {key: 'order', title: t('column.order'), text: o => o.number},
    {key: 'product', title: t('column.product'), text: o => say(o.product_name) || o.product},
    {key: 'state', title: t('column.state'), text: orderState, sort: o => urgency(o) || standing(o) || null, look: orderLook},
    {key: 'quantity', title: t('column.quantity'), text: o => number(o.quantity), sort: o => o.quantity},
    {key: 'progress', title: t('column.progress'), text: operations},
    {key: 'rush', title: t('column.priority'), text: o => (o.rush ? t('order.rush') : ''), sort: o => Number(!o.rush)},
    {key: 'due', title: t('column.due'), text: o => at(o.due_at, zone), sort: o => o.due_at},
    {key: 'late', title: t('column.late'), text: o => (o.late_by ? age(o.late_by, t) : '—'), sort: o => o.late_by ?? null},
    {key: 'customer', title: t('column.customer'), text: o => o.customer ?? '—'},
  ]
}

/** Cancelled, held, changed and not confirmed yet; for the many that simply go on, how far they are. */
function orderState(order) {
  const waiting = urgency(order)
  return [standing(order) && t(`change.state.${standing(order)}`), waiting && t(waiting === 'late' ? 'change.mark.late' : 'change.mark')].filter(Boolean).join(' · ') || t(`job.${goingOn(order.operations ?? [])}`)
}

function goingOn(operations) {
  if (operations.length && operations.every(o => o.state === 'done')) return 'done'
  return operations.some(o => o.good || o.state !== 'waiting') ? 'running' : 'waiting'
}

const orderLook = order => (urgency(order) === 'late' ? {priority: 'high'} : urgency(order) ? {state: 'setup', icon: 'clock'} : standing(order) ? {state: standing(order) === 'held' ? 'held' : 'off'} : {})

export function rushColumns(zone) {
  return [
    {key: 'at', title: t('column.at'), text: r => at(r.at, zone), sort: r => r.at},
    {key: 'order', title: t('column.order'), text: r => r.order},
    {key: 'state', title: t('column.state'), text: r => t(`rush.state.${r.state}`)},
    {key: 'by', title: t('column.by'), text: r => say((r.undone_by ?? r.by)?.name) || '—'},
    {key: 'slip', title: t('rush.column.slip'), text: r => number(r.losers?.length ?? 0), sort: r => r.losers?.length ?? 0},
    {key: 'erp', title: 'ERP', text: r => t(`rush.erp.${r.erp.state}`, {reason: r.erp.reason ?? ''})},
    {key: 'told', title: t('rush.column.told'), text: r => receipts(r).map(row => `${t(`rush.audience.${row.audience}`)} ${t(`rush.told.${row.state}`, {at: at(row.at, zone), reason: row.reason})}`).join('; ') || '—'},
  ]
}

const operations = order => (order.operations ?? []).map(o => `${say(o.name)} ${percent(progress(o))}%`).join(' → ')

export function lineColumns(zone, kind) {
  const event = line => (kind === 'alarm' ? word('event', line.event) : `${word('ticket.state', line.before)} → ${word('ticket.state', line.after)}`)
  return [
    {key: 'at', title: t('column.at'), text: line => at(line.at, zone), sort: line => line.at},
    {key: 'event', title: t('column.event'), text: event},
    {key: 'by', title: t('column.by'), text: line => [line.by, line.channel && word('channel', line.channel)].filter(Boolean).join(' · ') || '—'},
    {key: 'note', title: t('column.note'), text: line => [line.note, typeof line.value === 'number' ? number(line.value, 2) : ''].filter(Boolean).join(' · ')},
  ]
}

/** A word of the hub in ours; one we do not know stays as it is. */
function word(family, name) {
  const key = `${family}.${name}`
  const found = t(key)
  return found === key ? String(name ?? '—') : found
}
