/** Lines of the audit trail in people's words. An unknown word stays as it is rather than hidden. No DOM. */

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/
const OURS = new Set(['spool', 'writer', 'upkeep', 'erp', 'device', 'command line'])

function word(family, name, t) {
  const key = `${family}.${name}`
  const found = t(key)
  return found === key ? name : found
}

export const whatText = (line, t) => word('audit.what', line.what, t)

/** A person by name, a part of the hub in our words. */
export const whoText = (line, t, say) => (line.name ? say(line.name) : OURS.has(line.who) ? word('audit.who', line.who.replace(' ', '-'), t) : line.who)

/** "ticket:AH-1" as "工单 AH-1"; a place stays as it is. */
export function aboutText(line, t) {
  const [kind, ...rest] = line.about.split(':')
  const key = `audit.about.${kind}`
  return rest.length && t(key) !== key ? `${t(key)} ${rest.join(':')}` : line.about || '—'
}

/** "原因 缺料 · 采样 1200": every figure under its word; what is empty is left out. */
export const detailOf = (line, t, when) => leaves(line.detail ?? {}).map(([path, value]) =>
  `${path.map(step => wordOf(step, t)).join(' ')} ${told(value, when)}`).join(' · ')

const wordOf = (step, t) => {
  const found = word('audit.detail', step, t)
  return found === step ? word('state', step, t) : found
}
const told = (value, when) => (Array.isArray(value) ? value.join(', ') : typeof value === 'string' && MOMENT.test(value) ? when(value) : typeof value === 'number' ? String(Math.round(value * 1000) / 1000) : String(value))

function leaves(detail, path = []) {
  return Object.entries(detail).flatMap(([key, value]) => {
    if (value === null || value === undefined || value === '' || (Array.isArray(value) && !value.length)) return []
    return typeof value === 'object' && !Array.isArray(value) ? leaves(value, [...path, key]) : [[[...path, key], value]]
  })
}
