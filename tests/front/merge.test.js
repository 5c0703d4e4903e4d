import assert from 'node:assert/strict'
import {test} from 'node:test'
import {mergePatch} from '../../screens/static/lib/merge.js'

// the examples of RFC 7386, appendix A
const EXAMPLES = [
  [{a: 'b'}, {a: 'c'}, {a: 'c'}],
  [{a: 'b'}, {b: 'c'}, {a: 'b', b: 'c'}],
  [{a: 'b'}, {a: null}, {}],
  [{a: 'b', b: 'c'}, {a: null}, {b: 'c'}],
  [{a: ['b']}, {a: 'c'}, {a: 'c'}],
  [{a: 'c'}, {a: ['b']}, {a: ['b']}],
  [{a: {b: 'c'}}, {a: {b: 'd', c: null}}, {a: {b: 'd'}}],
  [{a: [{b: 'c'}]}, {a: [1]}, {a: [1]}],
  [['a', 'b'], ['c', 'd'], ['c', 'd']],
  [{a: 'b'}, ['c'], ['c']],
  [{a: 'foo'}, null, null],
  [{e: null}, {a: 1}, {e: null, a: 1}],
  [[1, 2], {a: 'b', c: null}, {a: 'b'}],
  [{}, {a: {bb: {ccc: null}}}, {a: {bb: {}}}],
]

test('every example of the standard comes out as the standard says', () => {
  for (const [target, patch, result] of EXAMPLES) assert.deepEqual(mergePatch(target, patch), result)
})

test('what a patch does not touch stays the very same object, and the old board is left alone', () => {
  const board = {machines: {a: {state: 'executing'}, b: {state: 'idle'}}, orders: {1: {}}}
  const next = mergePatch(board, {machines: {a: {state: 'fault'}}})
  assert.equal(next.machines.b, board.machines.b)
  assert.equal(next.orders, board.orders)
  assert.notEqual(next.machines.a, board.machines.a)
  assert.equal(board.machines.a.state, 'executing')
})

test('a patch cannot reach the prototype of all objects', () => {
  const next = mergePatch({}, JSON.parse('{"__proto__": {"owned": true}}'))
  assert.equal({}.owned, undefined)
  assert.equal(next.owned, undefined)
})
