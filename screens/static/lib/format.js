/** Numbers and times as people on a shop floor read them. `t` is the translator of i18n.js. */

const MINUTE = 60
const HOUR = 3600
const DAY = 86400

/** A span: "45 秒", "12 分钟", "3 小时 5 分", "2 天 4 小时". */
export function age(seconds, t) {
  const s = Math.max(0, Math.floor(seconds))
  if (s < MINUTE) return t('age.seconds', {n: s})
  if (s < HOUR) return t('age.minutes', {n: Math.floor(s / MINUTE)})
  if (s < DAY) return t('age.hours', {h: Math.floor(s / HOUR), m: Math.floor((s % HOUR) / MINUTE)})
  return t('age.days', {d: Math.floor(s / DAY), h: Math.floor((s % DAY) / HOUR)})
}

/** An age where there is little room: "45s", "12m", "3h", "2d". */
export function shortAge(seconds) {
  const s = Math.max(0, Math.floor(seconds))
  if (s < MINUTE) return `${s}s`
  if (s < HOUR) return `${Math.floor(s / MINUTE)}m`
  return s < DAY ? `${Math.floor(s / HOUR)}h` : `${Math.floor(s / DAY)}d`
}

/** Fresh things by their age, older ones by the clock: "12 分钟", then "13:05", then "11-21 13:05". */
export function since(iso, now, zone, t) {
  const at = Date.parse(iso)
  if (Number.isNaN(at)) return '—'
  const seconds = (now - at) / 1000
  if (seconds < HOUR) return age(seconds, t)
  return t('since.clock', {at: sameDay(at, now, zone) ? clock(at, zone) : dayClock(at, zone)})
}

export const clock = (at, zone) => parts(at, zone, {hour: '2-digit', minute: '2-digit'}, '{hour}:{minute}')
export const fullClock = (at, zone) =>
  parts(at, zone, {hour: '2-digit', minute: '2-digit', second: '2-digit'}, '{hour}:{minute}:{second}')
export const dayClock = (at, zone) =>
  parts(at, zone, {month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit'},
    '{month}-{day} {hour}:{minute}')

/** An instant as the plant's clock showed it, for charts, which know no time zones: "2026-01-05 13:05:09". */
export const localTime = (at, zone) =>
  parts(at, zone, {year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit'},
    '{year}-{month}-{day} {hour}:{minute}:{second}')

const sameDay = (a, b, zone) => day(a, zone) === day(b, zone)
const day = (at, zone) =>
  parts(at, zone, {year: 'numeric', month: '2-digit', day: '2-digit'}, '{year}-{month}-{day}')

const formats = new Map() // making one costs more than a hundred uses

function parts(at, zone, options, pattern) {
  const instant = typeof at === 'number' ? at : Date.parse(at)
  if (Number.isNaN(instant)) return '—'
  const key = `${zone} ${pattern}`
  if (!formats.has(key)) formats.set(key, formatter(zone, options))
  const found = Object.fromEntries(formats.get(key).formatToParts(instant).map(p => [p.type, p.value]))
  return pattern.replace(/\{(\w+)\}/g, (_, name) => found[name])
}

function formatter(zone, options) {
  try {
    return new Intl.DateTimeFormat('en-GB', {...options, hourCycle: 'h23', timeZone: zone || undefined})
  } catch {
    return new Intl.DateTimeFormat('en-GB', {...options, hourCycle: 'h23', timeZone: 'UTC'})
  }
}

/** "1,234.5"; a dash for what is not a number. The minus is a real one, as wide as a digit. */
export function number(value, decimals = 0) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return '—'
  const [whole, fraction] = Math.abs(value).toFixed(decimals).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  const digits = fraction ? `${grouped}.${fraction}` : grouped
  return value < 0 && /[1-9]/.test(digits) ? `−${digits}` : digits
}

/** The difference to a plan: "+12", "−60", "±0". */
export function signed(value, decimals = 0) {
  const text = number(value, decimals)
  if (text === '—' || text.startsWith('−')) return text
  return /[1-9]/.test(text) ? `+${text}` : '±0'
}

/** 0.713 as "71"; OEE factors may pass 100 (ISO 22400-2) and are shown so. */
export const percent = (share, decimals = 0) => number(typeof share === 'number' ? share * 100 : share, decimals)

const WIDE = /[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/

/** About how many ems a text takes: a Chinese character one, a Latin one a good half. */
export function widthOf(text) {
  let width = 0
  for (const character of String(text)) width += WIDE.test(character) ? 1 : /[ .,:;'|il]/.test(character) ? 0.32 : character === '…' ? 1 : 0.6
  return width
}

/**
 * Shortened where names differ least. Chinese in the middle: both the kind and the number stay readable.
 * Words at their borders: "Oil temperature" as "Oil temp.", never "Oil t…ture".
 */
export function shorten(text, ems) {
  const all = [...String(text)]
  if (widthOf(text) <= ems) return String(text)
  if (!all.some(character => WIDE.test(character))) return shortenWords(String(text).trim().split(/\s+/), ems)
  let head = Math.ceil(all.length / 2)
  let tail = all.length - head
  const short = () => `${all.slice(0, head).join('').trimEnd()}…${tail ? all.slice(-tail).join('').trimStart() : ''}`
  while (head + tail > 2 && widthOf(short()) > ems) head > tail ? head-- : tail--
  return short()
}

/** Long words to their beginnings, the longest first; then whole words go, but never the last, often a number. */
function shortenWords(words, ems) {
  const fits = () => widthOf(words.join(' ')) <= ems
  for (const long of [...words].sort((a, b) => b.length - a.length)) {
    if (!fits()) words[words.indexOf(long)] = clipped(long)
  }
  while (!fits() && words.length > 2) {
    words.splice(-2, 1)
    words[words.length - 2] = words[words.length - 2].replace(/[.…]?$/, '…')
  }
  return words.join(' ')
}

/** "temperature" as "temp."; short words and figures stay whole, and no cut ends in a vowel. */
function clipped(word) {
  if (word.length < 7 || /[\d-]/.test(word)) return word
  return `${word.slice(0, /[aeiou]/i.test(word[3]) ? 5 : 4)}.`
}

/** The shortest name that still tells machines of a line apart: first letters and number, "冲压机 01" as "冲01". */
export function abbreviate(text, ems) {
  const [, words, figure] = /^(.*?)\s*(\d*)$/.exec(String(text).trim())
  let head = [...words.replace(/\s+/g, '')]
  while (head.length > 1 && widthOf(head.join('') + figure) > ems) head = head.slice(0, -1)
  return head.join('') + figure
}

/** A label before a name, unless the name says it already: "值班 值班技师乙" is "值班技师乙". `phrase` is the label with {who} in it. */
export function labelled(phrase, who) {
  const label = phrase.replace('{who}', '').replace(/[:：\s]+$/, '').toLowerCase()
  return String(who).toLowerCase().includes(label) ? who : phrase.replace('{who}', who)
}

/** By how much (0..1] to scale a line of text so that it fits in so many ems, but not below `least`. */
export function fitScale(text, ems, least = 0.5) {
  return Math.max(least, Math.min(1, ems / Math.max(0.1, widthOf(text))))
}
