import assert from 'node:assert/strict'
import {test} from 'node:test'
import {eventOf, fieldsOf, written} from '../../screens/static/lib/event-form.js'

const REPORT = {type: 'report', id: 'R-1', order: 'MO-1', operation: '10', at: '2026-01-05T09:00:00+08:00', good: '12件', station: {no: 4}}
const texts = event => Object.fromEntries(fieldsOf(event).map(f => [f.name, f.text]))

test('an event has the fields of its type, then what we do not know', () => {
  const fields = fieldsOf(REPORT)
  assert.deepEqual(fields.slice(0, 6).map(f => f.name), ['type', 'id', 'order', 'operation', 'at', 'good'])
  assert.deepEqual(fields.filter(f => !f.known).map(f => [f.name, f.long]), [['station', true]])
  assert.deepEqual(fields.find(f => f.name === 'state').choices, ['', 'waiting', 'running', 'inspection', 'done'])
})

test('a type that we do not know stays to be seen and to be chosen anew', () => {
  assert.ok(fieldsOf({type: 'gossip'})[0].choices.includes('gossip'))
})

test('what nobody touched stays as it was, numbers become numbers, an emptied field is left out', () => {
  assert.deepEqual(written(REPORT, texts(REPORT)), REPORT)
  const made = written(REPORT, {...texts(REPORT), good: ' 12 ', id: '', person: '42', station: '{"no": 5}'})
  assert.deepEqual([made.good, 'id' in made, made.person, made.station], [12, false, '42', {no: 5}])
})

test('what is no object has no fields', () => {
  for (const text of ['[1]', '7', 'null', '{"a":', '']) assert.equal(eventOf(text), null)
})
