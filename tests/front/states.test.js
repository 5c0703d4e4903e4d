import assert from 'node:assert/strict'
import {test} from 'node:test'
import {asYaml, codeOf, segments, stateRows, tableDifferences, unmapped, withCode, withPreset} from '../../screens/static/lib/states.js'

const TABLE = {numbering: 'own', map: {1: 'executing', 7: 'fault', 12: 'off'}}
const SEEN = [{code: 1}, {code: 3}, {code: 20}]
const at = minute => new Date(Date.UTC(2026, 0, 5, 12, minute)).toISOString()

test('codes that occurred without a state come first, then those seen, then the rest', () => {
  assert.deepEqual(stateRows(TABLE, SEEN).map(row => row.code), ['3', '20', '1', '7', '12'])
  assert.deepEqual(unmapped(TABLE, SEEN).map(one => one.code), [3, 20])
})

test('a change leaves the table it came from alone and is told as a difference', () => {
  const then = withCode(withCode(TABLE, '3', 'setup'), '12', '')
  assert.equal(TABLE.map[12], 'off')
  assert.deepEqual(tableDifferences(TABLE, then), [{code: '3', before: '', after: 'setup'}, {code: '12', before: 'off', after: ''}])
  assert.deepEqual(tableDifferences(TABLE, TABLE), [])
  assert.equal(tableDifferences(TABLE, withPreset('packml-30050', TABLE.map))[0].after, 'packml-30050')
})

test('spans fill the width, and a thousand short ones are not a thousand bars', () => {
  const spans = [{state: 'idle', since: at(0), until: at(30)}, {state: 'fault', since: at(30), until: at(60)}]
  assert.deepEqual(segments(spans, at(0), at(60)).map(one => [one.state, one.left, one.width]), [['idle', 0, 50], ['fault', 50, 50]])
  const short = Array.from({length: 60_000}, (_, n) => [n, new Date(Date.parse(at(0)) + n * 60).toISOString(), new Date(Date.parse(at(0)) + (n + 1) * 60).toISOString()])
    .map(([n, since, until]) => ({state: n % 3 ? 'executing' : 'idle', since, until}))
  const bars = segments(short, at(0), at(60))
  assert.ok(bars.length < 1300)
  assert.ok(Math.abs(bars.reduce((sum, bar) => sum + bar.width, 0) - 100) < 0.01)
  assert.deepEqual(segments([], at(0), at(60)), [])
})

test('the block for the plant file holds of PackML only what is otherwise', () => {
  const presets = {'packml-30050': {1: 'idle', 6: 'executing'}}
  assert.equal(asYaml('p1/a/l/press/state', {numbering: 'packml-30050', map: {1: 'idle', 6: 'held'}}, presets), 'state:\n  tag: state\n  numbering: "packml-30050"\n  map:\n    6: held')
  assert.ok(!asYaml('x/state', {numbering: 'packml-30050', map: {...presets['packml-30050']}}, presets).includes('map:'))
})

test('a typed code is a whole number or nothing', () => {
  assert.deepEqual([' 07 ', '-3', '1.5', 'x', '', '99999999999', '4294967296'].map(codeOf), ['7', '-3', '', '', '', '', ''])
})
