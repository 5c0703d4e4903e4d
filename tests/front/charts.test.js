import assert from 'node:assert/strict'
import {test} from 'node:test'
import {trendTraces} from '../../screens/static/lib/charts.js'

const at = minute => new Date(Date.parse('2026-01-05T12:00:00Z') + minute * 60_000).toISOString()
const draw = gaps => trendTraces([0, 1, 9, 10].map(m => [at(m), m, m, m]), {gaps, colours: {}, local: t => t})[2].y

test('where samples were dropped the curve is broken', () => {
  assert.deepEqual(draw([]), [0, 1, 9, 10])
  assert.deepEqual(draw([{from: at(2), to: at(8)}]), [0, 1, null, 9, 10])
  assert.deepEqual(draw([{from: at(-5), to: at(8)}]), [0, null, 1, null, 9, 10], 'also where single ones were kept')
  assert.deepEqual(draw([{from: at(-9), to: at(-5)}]), [0, 1, 9, 10])
})
