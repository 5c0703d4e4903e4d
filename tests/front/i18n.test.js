import assert from 'node:assert/strict'
import {readdirSync, readFileSync} from 'node:fs'
import {test} from 'node:test'
import {chooseLanguage, say, t, useLanguage} from '../../screens/static/lib/i18n.js'

const STATIC = new URL('../../screens/static/', import.meta.url)
const words = code => JSON.parse(readFileSync(new URL(`i18n/${code}.json`, STATIC)))
const [ZH, EN] = [words('zh-CN'), words('en')]
const holes = phrase => [...phrase.matchAll(/\{(\w+)\}/g)].map(found => found[1]).sort()
const SOURCES = ['lib', 'elements', 'pages'].flatMap(folder =>
  readdirSync(new URL(`${folder}/`, STATIC)).map(name => [name, readFileSync(new URL(`${folder}/${name}`, STATIC), 'utf8')]))

test('both languages say the same things', () => {
  assert.deepEqual(Object.keys(EN).sort(), Object.keys(ZH).sort())
  for (const key of Object.keys(ZH)) {
    assert.ok(ZH[key].trim() && EN[key].trim(), key)
    // "{at}" alone may stand for a shorter English phrase, but no hole may be one that the other does not know
    assert.ok(holes(EN[key]).every(hole => holes(ZH[key]).includes(hole)), key)
  }
})

test('every phrase that the code asks for exists', () => {
  for (const [name, text] of SOURCES) {
    for (const [, key] of text.matchAll(/\bt\('([\w.-]+)'/g)) assert.ok(key in ZH, `${name}: ${key}`)
  }
})

test('every family that the code builds keys for is complete', () => {
  const families = {
    state: ['executing', 'setup', 'idle', 'starved', 'blocked', 'held', 'fault', 'maintenance', 'off', 'unknown'],
    priority: ['critical', 'high', 'medium', 'low'],
    'alarm.state': ['normal', 'unacked', 'acked', 'rtn-unacked', 'shelved', 'suppressed', 'out-of-service'],
    'ticket.state': ['new', 'sent', 'accepted', 'on-site', 'repairing', 'verifying', 'closed', 'wait-parts', 'false-alarm', 'reopened'],
    cause: ['mechanical', 'electrical', 'tooling', 'material', 'operation', 'other'],
    'event.type': ['order', 'report', 'posting', 'labour', 'quality', 'material', 'stock'],
    'reject.state': ['waiting', 'replayed', 'aside'],
    'reject.many': ['taken', 'repeat', 'rejected', 'gone', 'aside'],
    job: ['waiting', 'running', 'inspection', 'done'],
    circuit: ['closed', 'half-open', 'open'],
    feed: ['live', 'connecting', 'polling', 'lost', 'denied'],
    verb: ['accept', 'arrive', 'begin', 'repair', 'close', 'acknowledge'],
    sound: ['on', 'off', 'locked'],
    status: ['ok', 'starting', 'degraded'],
    'change.state': ['released', 'held', 'cancelled', 'completed'],
    change: ['quantity', 'due_at', 'priority', 'product', 'operations', 'rush', 'no-rush'],
    'erp.state': ['up', 'away', 'quiet', 'stopped'],
    'erp.outcome': ['done', 'adopted', 'skipped', 'deferred', 'refused', 'taken'],
    'erp.direction': ['out', 'in'],
    'erp.kind': ['open-ticket', 'update-ticket', 'close-ticket', 'report-operation', 'post-receipt', 'post-issue', 'post-quality', 'post-hours', 'post-scrap', 'change-order', 'erp-news'],
  }
  for (const [family, names] of Object.entries(families)) {
    for (const name of names) assert.ok(`${family}.${name}` in ZH, `${family}.${name}`)
  }
})

test('no phrase lies around that nobody says', () => {
  const all = SOURCES.map(([, text]) => text).join('\n')
  const built = [...all.matchAll(/`([\w.-]+)\.\$\{/g)].map(found => `${found[1]}.`)
  const word = [...all.matchAll(/word\('([\w.-]+)'/g)].map(found => `${found[1]}.`)
  for (const key of Object.keys(ZH)) {
    assert.ok(all.includes(`'${key}'`) || [...built, ...word].some(prefix => key.startsWith(prefix)), key)
  }
})

test('Chinese unless asked for English; what was asked for is kept', () => {
  const kept = new Map()
  const storage = {getItem: key => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value)}
  assert.equal(chooseLanguage('', storage), 'zh-CN')
  assert.equal(chooseLanguage('?lang=en', storage), 'en')
  assert.equal(chooseLanguage('', storage), 'en')
  assert.equal(chooseLanguage('?lang=zh', storage), 'zh-CN')
  assert.equal(chooseLanguage('?lang=tlh', storage), 'zh-CN')
  assert.equal(chooseLanguage('?lang=en', null), 'en', 'a browser that keeps nothing')
})

test('words of the hub come in the language shown, the other one where it is missing', () => {
  useLanguage('en', EN)
  assert.equal(say({zh: '油温', en: 'Oil'}), 'Oil')
  assert.equal(say({zh: '油温', en: ''}), '油温')
  assert.equal(say(undefined), '')
  assert.equal(t('more.items', {n: 12}), '12 more not shown')
  useLanguage('zh-CN', ZH)
  assert.equal(t('more.items', {n: 12}), '还有 12 项未显示')
})
