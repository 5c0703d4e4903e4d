import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {aboutText, detailOf, whatText, whoText} from '../../screens/static/lib/audit.js'

const WORDS = JSON.parse(readFileSync(new URL('../../screens/static/i18n/en.json', import.meta.url)))
const t = key => WORDS[key] ?? key
const say = words => words.en
const line = (more = {}) => ({who: 'writer', what: 'samples-lost', about: 'edge-1', detail: {batches: 5}, ...more})

test('a loss is told in words with its figures', () => {
  assert.deepEqual([whoText(line(), t, say), whatText(line(), t), aboutText(line(), t), detailOf(line(), t)], ['writer', 'Batches of samples lost', 'edge-1', 'batches 5'])
  const late = line({what: 'samples-too-late', detail: {samples: 12, first: '2026-01-05T12:00:00Z', last: null}})
  assert.equal(detailOf(late, t, iso => iso.slice(11, 16)), 'samples 12 · first 12:00')
})

test('people have their names, things their kind, and groups of figures theirs', () => {
  assert.equal(whoText(line({who: 'li', name: {en: 'Li Qiang'}}), t, say), 'Li Qiang')
  assert.equal(aboutText(line({about: 'ticket:AH-1'}), t), 'ticket AH-1')
  assert.equal(detailOf(line({detail: {seconds: {derived: {setup: 10.0004}}, note: ''}}), t), 'seconds derived Setup 10')
})

test('what nobody has a word for is shown as it is', () => {
  const odd = line({who: 'x', what: 'new-kind', about: 'p1/a:b:c', detail: {odd: ['a', 'b']}})
  assert.deepEqual([whoText(odd, t, say), whatText(odd, t), aboutText(odd, t), detailOf(odd, t)], ['x', 'new-kind', 'p1/a:b:c', 'odd a, b'])
})
