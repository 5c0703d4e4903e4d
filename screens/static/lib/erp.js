/** The ERP bridge in words. Pure: the time is an argument, in ms since 1970. */

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/
const PARTS = ['letters', 'under-way', 'ledger']

/** What `#erp=...` asks for: {part, document}; anything that is no part is a document to look for. */
export function asked(hash) {
  const wish = decodeURIComponent((/^#erp=([^&]*)/.exec(hash) ?? [])[1] ?? '')
  if (!wish) return {part: 'letters', document: ''}
  return PARTS.includes(wish) ? {part: wish, document: ''} : {part: 'ledger', document: wish}
}

export const addressOf = wish => `#erp=${encodeURIComponent(wish)}`

/** A word of ours for what a message is about; one we do not know stays as it is. */
export function kindWord(name, t) {
  const key = `erp.kind.${String(name).replaceAll(' ', '-')}`
  const found = t(key)
  return found === key ? String(name) : found
}

/** The number that people know of our key for a document: "report:R-1" is R-1. */
export const documentWord = key => key.replace(/^[a-z-]+:/, '')

/** A value of a field; the words of states are ours. `when(iso)` tells moments. */
export function valueWord(name, value, t, when) {
  if (MOMENT.test(value)) return when(value)
  if (name !== 'state') return value
  const known = [`ticket.state.${value}`, `change.state.${value}`, `job.${value}`].find(key => t(key) !== key)
  return known ? t(known) : value
}

export function fieldWord(name, t) {
  const key = `erp.field.${name}`
  const found = t(key)
  return found === key ? name : found
}

/** 'up' answers, 'away' does not, 'stopped' nobody asks it, 'quiet' was not asked yet. */
export function bridgeState(health) {
  if (!health.running) return 'stopped'
  if (health.up) return 'up'
  return health.last_error || health.last_ok ? 'away' : 'quiet'
}

/** Why a book was not compared: what the ERP cannot tell, or how many records of it nobody can read and the first of them. */
export function whyNot(why, t) {
  const [, n, first] = /^left-out (\d+) ([^]*)$/.exec(why) ?? []
  if (n) return t('reconcile.why.left-out', {n, first})
  const known = t(`reconcile.why.${why}`)
  return known === `reconcile.why.${why}` ? why : known
}

/** Where the map of a document is edited: by its name, or by what it may mean; `field` is looked for in it. */
export const mapOf = (document, field = '') => `#mapping=${encodeURIComponent(document)}${field ? `&field=${encodeURIComponent(field)}` : ''}`

/** The document that `#mapping=...` asks for; "" for any. */
export const mapAsked = hash => decodeURIComponent((/^#mapping=([^&]*)/.exec(hash) ?? [])[1] ?? '')
export const fieldAsked = hash => decodeURIComponent((/^#mapping=[^&]*&field=([^&]*)/.exec(hash) ?? [])[1] ?? '')

/** The document of that name, else the first that means it: `asked` may be several, the likelier first. */
export function documentAsked(asked, documents, meanings = {}) {
  const wanted = asked.split(',')
  return wanted.find(name => documents.includes(name)) ?? wanted.map(word => documents.find(name => meanings[name] === word)).find(Boolean) ?? ''
}

/** Where to mend what a letter was refused for; '' where it has nothing to do with a map. */
export function mendedAt({mapping, cause}) {
  if (!mapping || !(mapping.field || mapping.document || ['mapping', 'missing', 'field', 'duplicate'].includes(cause))) return ''
  const document = mapping.document || mapping.about.join(',')
  return document ? mapOf(document, mapping.field) : ''
}

/** "派单 2 · 报工 14" */
export const waitingText = (health, t) => Object.entries(health.waiting ?? {}).map(([kind, n]) => `${kindWord(kind, t)} ${n}`).join(' · ')

/** What came of several requests, each {ok: true} or {error}: {done, late, failed, why}. */
export function tally(results) {
  const failed = results.filter(r => r.error && r.error.code !== 'not-dead')
  return {done: results.filter(r => r.ok).length, late: results.length - failed.length - results.filter(r => r.ok).length,
    failed: failed.length, why: failed[0]?.error ?? null}
}

/** How a ticket stands in the ERP: {text, bad}; nothing to say is empty. `ago(iso)` and `at(iso)` tell times. */
export function standingText(erp, {t, ago, at}) {
  if (!erp) return {text: '', bad: false}
  const reason = erp.reason ?? ''
  if (erp.state === 'refused') return {text: t('erp.standing.refused', {what: kindWord(erp.subject, t), reason: reason || '—'}), bad: true}
  if (erp.state === 'waiting') return {text: [t('erp.standing.waiting', {what: kindWord(erp.subject, t), age: ago(erp.since)}), reason].filter(Boolean).join(' · '), bad: false}
  if (erp.state === 'sent') return {text: erp.at ? t('erp.standing.sent', {what: kindWord(erp.subject, t), at: at(erp.at)}) : t('erp.standing.there'), bad: false}
  return {text: t('erp.standing.none'), bad: false}
}
