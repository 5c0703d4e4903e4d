import assert from 'node:assert/strict'
import {test} from 'node:test'
import {limitsText, parameterChart, parameterRows} from '../../screens/static/lib/parameters.js'

const parameter = (tag, outside = 0) => ({tag, outside, low: 20, high: 80, target: null, unit: '℃', series: []})
const told = {order: 'MO-1', operations: [
  {operation: '10', name: {zh: '冲压', en: 'Stamping'}, parameters: [parameter('a'), parameter('b', 3)]},
  {operation: '20', name: {zh: '焊接', en: 'Welding'}, parameters: [parameter('a')]},
]}

test('what lay outside its limits comes first, and each row knows its operation', () => {
  assert.deepEqual(parameterRows([told]).map(r => [r.order, r.operation, r.tag]), [['MO-1', '10', 'b'], ['MO-1', '10', 'a'], ['MO-1', '20', 'a']])
  assert.equal(new Set(parameterRows([told]).map(r => r.key)).size, 3)
  assert.deepEqual(parameterRows([{order: 'MO-1', operations: []}]), [])
})

test('limits read as people write them', () => {
  const digits = value => value.toFixed(1)
  assert.equal(limitsText({low: 20, high: 80}, digits), '20.0 – 80.0')
  assert.equal(limitsText({low: null, high: 80}, digits), '≤ 80.0')
  assert.equal(limitsText({low: 0, high: null}, digits), '≥ 0.0')
  assert.equal(limitsText({low: null, high: null}, digits), '')
})

test('a chart has a line across for each limit that there is, zero too', () => {
  const {layout, traces} = parameterChart({series: [['t', 1, 0, 2]], low: 0, high: null, target: 60, unit: '℃'}, {colours: {fault: 'red', text: 'black', band: 'grey'}, local: at => at})
  assert.deepEqual(layout.shapes.map(s => [s.y0, s.line.dash]), [[0, 'dash'], [60, 'dot']])
  assert.deepEqual(traces.at(-1).y, [1])
})
