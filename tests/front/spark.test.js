import assert from 'node:assert/strict'
import {test} from 'node:test'
import {runs, spanOf} from '../../screens/static/lib/spark.js'
import {figureName, figuresOf} from '../../screens/static/lib/status.js'
import {downtime} from '../../screens/static/lib/ticket.js'

const NOON = Date.parse('2026-01-05T12:00:00Z')
const point = (minute, value = 1) => [new Date(NOON + minute * 60_000).toISOString(), value, value, value]

test('a hole in the record is a hole in the curve', () => {
  assert.deepEqual(runs([0, 1, 2, 9, 10].map(m => point(m))).map(run => run.length), [3, 2])
  assert.deepEqual(runs([point(0), point(1), point(2, null), point(3, null), point(4), point(5)]).map(run => run.length), [2, 2])
  assert.deepEqual(runs([0, 1, 2, 4, 5].map(m => point(m))).map(run => run.length), [5], 'one missing point is no hole')
})

test('a curve says what span it really shows', () => {
  assert.deepEqual(spanOf([point(0), point(7)]), {start: NOON, end: NOON + 7 * 60_000})
  assert.equal(spanOf([point(0)]), null)
  assert.equal(spanOf([]), null)
  assert.deepEqual(spanOf([point(0, null), point(1), point(2), point(3, null)]), {start: NOON + 60_000, end: NOON + 120_000})
})

test('downtime is what the hub says; unknown is a dash, nought is a value', () => {
  const t = (key, values) => `${values.n} ${key}`
  assert.equal(downtime({downtime_seconds: 725.4}, t), '12 age.minutes')
  assert.equal(downtime({downtime_seconds: 0}, t), '0 age.seconds')
  assert.equal(downtime({closed_at: '2026-01-05T12:00:00Z'}, t), '—')
})

test('figures of the hub carry our words where there are any, their own name otherwise', () => {
  const t = key => ({'figure.outbox.oldest_seconds': 'oldest', 'figure.bus': 'queue'})[key] ?? key
  assert.equal(figureName('outbox.oldest_seconds.tell', t), 'oldest tell')
  assert.equal(figureName('bus.store', t), 'queue store')
  assert.equal(figureName('new.thing', t), 'new.thing')
  assert.deepEqual(figuresOf({outbox: {waiting: {}}}), [{name: 'outbox.waiting', value: 0}], 'nothing waits')
})
