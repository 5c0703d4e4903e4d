import assert from 'node:assert/strict'
import {test} from 'node:test'
import {arrange, rowsThatFit} from '../../screens/static/lib/layout.js'

const WALL = [1408, 760]
const lines = (n, each) => Array.from({length: n}, () => each)

test('the demo plant has full tiles, one row a line', () => {
  const plan = arrange(...WALL, lines(4, 3))
  assert.deepEqual([plan.detail, plan.columns, plan.side, plan.across, plan.hidden], ['full', 1, 'left', 3, 0])
})

test('three machines fill a wall without holes', () => {
  const plan = arrange(...WALL, [3])
  assert.equal(plan.detail, 'full')
  assert.equal(plan.across, 3)
  assert.ok(plan.scale > 1.4)
})

test('a hundred and twenty machines are all there, as marks', () => {
  const plan = arrange(...WALL, lines(12, 10))
  assert.equal(plan.detail, 'mark')
  assert.equal(plan.hidden, 0)
  assert.ok(plan.scale >= 0.85)
})

test('forty machines still show state and name', () => {
  assert.equal(arrange(...WALL, lines(8, 5)).detail, 'brief')
})

test('upright walls put the sums above the machines, in two rows, so that counts of four digits fit', () => {
  assert.equal(arrange(1040, 1130, lines(4, 3)).side, 'stack')
  assert.equal(arrange(1040, 1080, lines(4, 3)).detail, 'full')
})

test('more machines than a wall can hold are counted, not squeezed', () => {
  const plan = arrange(...WALL, lines(60, 20))
  assert.ok(plan.hidden > 0)
  assert.equal(plan.hidden, 1200 - plan.shownLines * plan.shownMachines)
  const one = arrange(...WALL, [900])
  assert.ok(one.hidden > 0 && one.shownMachines >= 50)
})

test('an empty plant and a line without machines are no trouble', () => {
  assert.equal(arrange(...WALL, []).hidden, 0)
  assert.equal(arrange(...WALL, [0]).hidden, 0)
})

test('no plant of any size has letters below the limit or takes long', () => {
  for (const each of [1, 2, 5, 9, 17, 33]) {
    for (const n of [1, 2, 3, 7, 13, 25]) {
      const plan = arrange(...WALL, lines(n, each))
      assert.ok(plan.scale >= 0.85, `${n} x ${each}: ${plan.scale}`)
      assert.ok(plan.hidden >= 0)
    }
  }
})

test('a list shows what fits and leaves room to say how many do not', () => {
  assert.equal(rowsThatFit(100, 30, 5, 2, 20), 2)
  assert.equal(rowsThatFit(100, 30, 5, 3, 20), 3)
  assert.equal(rowsThatFit(100, 30, 5, 4, 20), 2)
  assert.equal(rowsThatFit(0, 30, 5, 4, 20), 0)
})
