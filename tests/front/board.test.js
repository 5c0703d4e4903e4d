import assert from 'node:assert/strict'
import {test} from 'node:test'
import {floor, freshness, lostSources, oldestAge, openAlarms, orders, placeOf, planOf, progress, quietMachines, soundLevel, wrongNow, shortBy} from '../../screens/static/lib/board.js'

const NOON = Date.parse('2026-01-05T12:00:00Z')
const ago = seconds => new Date(NOON - seconds * 1000).toISOString()
const alarm = (id, priority, state, seconds = 60) => ({id, priority, state, raised_at: ago(seconds)})
const boardOf = (...alarms) => ({alarms: Object.fromEntries(alarms.map(a => [a.id, a])), machines: {m: {state: 'executing'}}, health: {sources: {}}})

test('what nobody has seen comes before what somebody has in hand, even when that is more urgent', () => {
  const board = boardOf(alarm(1, 'critical', 'acked'), alarm(2, 'low', 'unacked'), alarm(3, 'high', 'unacked'), alarm(4, 'medium', 'rtn-unacked'))
  assert.deepEqual(openAlarms(board).map(a => a.id), [3, 2, 1, 4])
  assert.equal(wrongNow(board).kind, 'alarm')
})

test('what is still wrong outranks what is over, even when nobody has acknowledged what is over', () => {
  const board = boardOf(alarm(1, 'medium', 'rtn-unacked', 900), alarm(2, 'critical', 'acked'), alarm(3, 'high', 'acked'), alarm(4, 'critical', 'rtn-unacked'))
  assert.deepEqual(openAlarms(board).map(a => a.id), [2, 3, 4, 1])
  assert.equal(wrongNow(board).kind, 'handled')
  assert.equal(wrongNow(board).alarm.id, 2)
})

test('only alarms that are over make a quiet band, with the doubts there are', () => {
  const board = boardOf(alarm(1, 'critical', 'rtn-unacked'), alarm(2, 'high', 'rtn-unacked'))
  board.health.sources = {'modbus-l3': {up: false, since: ago(9)}}
  const {kind, more, lost} = wrongNow(board)
  assert.deepEqual([kind, more, lost], ['returned', 1, 1])
})

test('of equals the one that has waited longest comes first', () => {
  const board = boardOf(alarm(1, 'high', 'unacked', 10), alarm(2, 'high', 'unacked', 900))
  assert.equal(wrongNow(board).alarm.id, 2)
})

test('acknowledged alarms make the band calm, shelved ones leave it', () => {
  assert.equal(wrongNow(boardOf(alarm(1, 'critical', 'acked'))).kind, 'handled')
  assert.equal(wrongNow(boardOf(alarm(1, 'critical', 'shelved'))).kind, 'calm')
})

test('a wall that cannot see everything does not say that all is well', () => {
  const board = boardOf()
  board.health.sources = {'modbus-l3': {up: false, since: ago(9)}}
  assert.equal(wrongNow(board).kind, 'doubt')
  assert.deepEqual(lostSources(board).map(s => s.name), ['modbus-l3'])
  board.health.sources['modbus-l3'].machines = ['p1/stamping/l3/m1']
  for (const [at, seen] of [['p1/stamping/l3', ['modbus-l3']], ['p1/stamping/l3/m1', ['modbus-l3']], ['p1/stamping/l', []], ['p1/paint', []]]) {
    assert.deepEqual(lostSources(board, at).map(s => s.name), seen, at)
    assert.equal(wrongNow(board, at).lost, seen.length, at)
  }
  const blind = boardOf()
  blind.machines = {a: {state: 'unknown'}}
  assert.equal(wrongNow(blind).kind, 'doubt')
  assert.deepEqual(wrongNow({alarms: {}, machines: {}}), {kind: 'doubt', lost: 0, unknown: 0, nothing: true})
})

test('only unacknowledged critical and high alarms sound', () => {
  assert.equal(soundLevel(boardOf(alarm(1, 'critical', 'unacked'), alarm(2, 'high', 'unacked'))), 'critical')
  assert.equal(soundLevel(boardOf(alarm(1, 'critical', 'acked'), alarm(2, 'high', 'unacked'))), 'high')
  assert.equal(soundLevel(boardOf(alarm(1, 'medium', 'unacked'), alarm(2, 'critical', 'rtn-unacked'))), '')
  assert.equal(soundLevel(null), '')
})

test('a number older than its limit is stale, whatever it says of itself', () => {
  const value = {value: 3, status: 'good', stale_after: 5, at: ago(5)}
  assert.equal(freshness(value, NOON).kind, 'good')
  assert.equal(freshness({...value, at: ago(5.5)}, NOON).kind, 'stale')
  assert.equal(freshness({...value, status: 'uncertain'}, NOON).kind, 'uncertain')
  assert.equal(freshness({...value, status: 'bad'}, NOON).kind, 'bad')
  assert.equal(freshness({status: 'good', at: ago(1)}, NOON).kind, 'bad', 'no value')
  assert.equal(freshness({value: 3, status: 'good'}, NOON).kind, 'stale', 'no time')
  assert.equal(freshness({...value, value: 0}, NOON).kind, 'good', 'nought is a value')
})

test('the oldest number of the whole board is found', () => {
  const board = {machines: {a: {values: {x: {value: 1, at: ago(2)}}}, b: {values: {y: {at: ago(70), status: 'bad'}}}}}
  assert.equal(oldestAge(board, NOON), 70)
  assert.equal(oldestAge({machines: {}}, NOON), null)
})

test('machines stand in the order of the floor, and a part of the plant can be shown alone', () => {
  const board = {
    areas: [{path: 'p/a', name: {}, lines: [{path: 'p/a/1', name: {}, machines: ['p/a/1/z', 'p/a/1/b']}, {path: 'p/a/12', name: {}, machines: []}]}],
    machines: {'p/a/1/b': {path: 'p/a/1/b'}, 'p/a/1/z': {path: 'p/a/1/z'}}, lines: {'p/a/1': {good: 5}},
  }
  assert.deepEqual(floor(board)[0].machines.map(m => m.path), ['p/a/1/z', 'p/a/1/b'])
  assert.equal(floor(board)[0].sums.good, 5)
  assert.deepEqual(floor(board, 'p/a/1').map(l => l.path), ['p/a/1'], 'p/a/12 is another line')
  assert.deepEqual(floor(null), [])
})

test('late orders lead, then rush orders, then by due date, finished ones last', () => {
  const order = (number, more) => [number, {number, due_at: ago(-100), operations: [{state: 'running'}], ...more}]
  const board = {orders: Object.fromEntries([
    order('A'), order('B', {rush: true}), order('C', {late_by: 60}), order('D', {due_at: ago(-50)}),
    order('E', {late_by: 7200}), order('F', {operations: [{state: 'done'}], rush: true})])}
  assert.deepEqual(orders(board).map(o => o.number), ['E', 'C', 'B', 'D', 'A', 'F'])
})

test('progress stays between nothing and all', () => {
  assert.equal(progress({state: 'running', good: 50, quantity: 200}), 0.25)
  assert.equal(progress({state: 'running', good: 250, quantity: 200}), 1)
  assert.equal(progress({state: 'done', good: 190, quantity: 200}), 1)
  assert.equal(progress({state: 'waiting', good: 0, quantity: 0}), 0)
})

test('a place is line and machine, so that the machine stays whole', () => {
  assert.deepEqual(placeOf('1号冲压线 冲压机01', '冲压机01'), {line: '1号冲压线', machine: '冲压机01'})
  assert.deepEqual(placeOf('Stamping line 1 Press 01', 'Press 01'), {line: 'Stamping line 1', machine: 'Press 01'})
  for (const unknown of ['', '固化炉01', '1号冲压线 冲压机01']) {
    assert.deepEqual(placeOf('1号冲压线 冲压机01', unknown), {line: '', machine: '1号冲压线 冲压机01'})
  }
})

test('on plan are lines with a plan that keep up with it, and late is what will be', () => {
  const line = (good, target) => ({sums: {good, target}})
  const board = {orders: {a: {late_by: 60}, b: {late_by: 0}, c: {}}}
  assert.deepEqual(planOf(board, [line(95, 100), line(94, 100), line(5, 0), {sums: {}}]), {lines: 1, of: 2, late: 1})
})

test('a machine whose alarms are all over or put aside is marked quietly', () => {
  const alarm = (id, equipment, state) => ({id, equipment, state, priority: 'high', raised_at: '2026-01-05T12:00:00Z'})
  const alarms = [alarm(1, 'over', 'rtn-unacked'), alarm(2, 'mixed', 'rtn-unacked'), alarm(3, 'mixed', 'unacked'), alarm(4, 'hand', 'acked'), alarm(5, 'shelf', 'shelved')]
  assert.deepEqual([...quietMachines({alarms: Object.fromEntries(alarms.map(a => [a.id, a]))})].sort(), ['over', 'shelf'])
})

test("a customer's order that ended with fewer pieces than were ordered is not simply done", () => {
  assert.equal(shortBy({stage: 'done', ordered: 300, made: 298}), 2)
  assert.deepEqual([{stage: 'running', ordered: 300, made: 298}, {stage: 'done', ordered: 300, made: 301}].map(shortBy), [0, 0])
})
