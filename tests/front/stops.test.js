import assert from 'node:assert/strict'
import {test} from 'node:test'
import {chosenPart, cutAt, cuts, inOrder, mayExplain, paretoTraces, signature, usual, waiting} from '../../screens/static/lib/stops.js'

const stop = (start, seconds, waits, parts = []) => ({machine: 'm', start, seconds, waits, parts})
const part = (start, end, reason = '') => ({start, end, reason})

test('what needs a reason stands first, the longest of it on top, then the newest', () => {
  const [a, b, c, d] = [stop('2026-01-05T08:00:00Z', 400, true), stop('2026-01-05T09:00:00Z', 900, true), stop('2026-01-05T10:00:00Z', 60, false), stop('2026-01-05T11:00:00Z', 60, false)]
  assert.deepEqual(inOrder([a, c, b, d]), [b, a, d, c])
})

test('the part to explain is the one that was chosen, else the first that has no reason', () => {
  const [said, bare] = [part('a', 'b', 'jam'), part('b', 'c')]
  assert.equal(chosenPart({parts: [said, bare]}), bare)
  assert.equal(chosenPart({parts: [said, bare]}, 'a'), said)
  assert.equal(chosenPart({parts: [said]}, 'gone'), said)
})

test('a cut lies inside its part, on a step that a finger can find', () => {
  const long = part('2026-01-05T08:00:00Z', '2026-01-05T08:20:00Z')
  assert.deepEqual(cuts(long), {min: 60, max: 1140, step: 60})
  assert.equal(cutAt(long, 600), '2026-01-05T08:10:00.000Z')
  assert.deepEqual(cuts(part('2026-01-05T08:00:00Z', '2026-01-05T08:00:30Z')), {min: 10, max: 20, step: 10})
  assert.equal(cuts(part('2026-01-05T08:00:00Z', '2026-01-05T08:00:15Z')), null)
})

test('the usual reasons of a machine are named, as many as are asked for', () => {
  const told = {usual: {m: ['jam', 'tooling']}, reasons: {jam: {name: 'Jam'}, tooling: {name: 'Tool'}}}
  assert.deepEqual(usual(told, 'm', 1), [{code: 'jam', name: 'Jam'}])
  assert.deepEqual(usual(told, 'other'), [])
})

test('stops that wait are counted below a place, and looked at again when a machine stops', () => {
  const board = {machines: {x: {path: 'p/a/x', state: 'fault', unexplained: 2}, y: {path: 'p/b/y', state: 'executing'}}}
  assert.equal(waiting(board), 2)
  assert.equal(waiting(board, 'p/a'), 2)
  assert.equal(waiting(board, 'p/b'), 0)
  const before = signature(board)
  board.machines.y.state = 'idle'
  assert.notEqual(signature(board), before)
})

test('operators and technicians give reasons, viewers and planners look', () => {
  assert.equal(mayExplain({roles: ['operator']}), true)
  assert.equal(mayExplain({roles: ['viewer', 'planner']}), false)
})

test('the line of a Pareto ends at the whole', () => {
  const rows = [{reason: 'jam', name: 'Jam', minutes: 30, share: 0.75}, {reason: '', name: '', minutes: 10, share: 0.25}]
  const {traces} = paretoTraces(rows, {say: x => x, words: {minutes: 'min', share: '%', bare: 'none'}, colours: {}})
  assert.deepEqual(traces[0].x, ['Jam', 'none'])
  assert.deepEqual(traces[1].y, [75, 100])
})
