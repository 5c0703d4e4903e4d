import assert from 'node:assert/strict'
import {test} from 'node:test'
import {countdown, instantOf, isOpen, left, localOf, mayRush, newTap, owesReceipt, receipts, stage, summary} from '../../screens/static/lib/rush.js'

const NOON = Date.parse('2026-01-05T12:00:00Z')
const made = {state: 'made', undo_until: '2026-01-05T12:10:00Z'}
const told = (audience, state, more = {}) => ({event: 'made', audience, people: [{id: 'li'}], notifier: 'wecom', state, ...more})

test('two seconds are enough for what is gained, how many slip and how many become late', () => {
  const losers = [{order: 'A', becomes_late: true}, {order: 'B', becomes_late: false}]
  assert.deepEqual(summary({winner: {minutes: -120, late_after: 15}, losers, newly_late: 2, elsewhere: {count: 3}}),
    {gain: 120, slip: 5, late: 2, still: 15})
  assert.equal(summary({winner: {}}).gain, null, 'not knowing is not nought')
  assert.equal(summary({winner: {minutes: 0}}).gain, 0)
})

test('the time to undo runs down and ends', () => {
  assert.equal(countdown(left(made, NOON)), '10:00')
  assert.equal(countdown(left(made, NOON + 539_500)), '1:01')
  assert.equal(left(made, NOON + 600_000), 0)
  assert.equal(left({...made, state: 'undone'}, NOON), 0)
  assert.equal(left({state: 'made'}, NOON), 0)
  assert.equal(left(undefined, NOON), 0)
})

test('one carrier that took it is enough; all that failed say why', () => {
  const rows = receipts({told: [told('floor', 'failed', {reason: 'errcode 1'}), told('floor', 'done', {at: 'T2', notifier: 'dingtalk'}),
    told('sales', 'failed', {reason: 'errcode 2'})]})
  assert.deepEqual(rows.map(r => [r.audience, r.state, r.at, r.notifiers, r.reason]),
    [['floor', 'done', 'T2', ['dingtalk'], ''], ['sales', 'failed', null, ['wecom'], 'errcode 2']])
  assert.equal(receipts({told: [told('floor', 'waiting'), told('floor', 'failed')]})[0].state, 'waiting')
})

test('receipts are those of the newest event', () => {
  const rows = receipts({told: [told('floor', 'done'), told('floor', 'waiting', {event: 'undone'})]})
  assert.deepEqual(rows.map(r => [r.event, r.state]), [['undone', 'waiting']])
  assert.deepEqual(receipts(undefined), [])
})

test('who was told and has looked is marked; who has not owes a receipt', () => {
  const rush = {state: 'made', told: [told('floor', 'done', {people: [{id: 'li'}, {id: 'wu'}]})], seen: [{event: 'made', person: {id: 'li'}}]}
  assert.deepEqual(receipts(rush)[0].people, [{id: 'li', seen: true}, {id: 'wu', seen: false}])
  assert.deepEqual(['li', 'wu', 'far'].map(id => owesReceipt(rush, {id})), [false, true, false])
  assert.ok(owesReceipt({...rush, state: 'undone'}, {id: 'li'}), 'of the undoing anew')
  assert.ok(!owesReceipt(undefined, {id: 'li'}))
})

test('what can be rushed asks for a confirmation, what was rushed says so', () => {
  assert.equal(stage({preview: {}}), 'confirm')
  assert.equal(stage({preview: {}, rush: {state: 'undone'}}), 'confirm')
  assert.equal(stage({rush: made, why_not: {}}), 'made')
  assert.equal(stage({why_not: {}}), 'none')
})

test('planner and operator may rush, sales may look', () => {
  assert.ok(mayRush({roles: ['operator']}) && mayRush({roles: ['planner']}))
  assert.ok(!mayRush({roles: ['sales', 'viewer', 'technician']}) && !mayRush(null))
})

test('an order whose every operation is done is not in the list', () => {
  assert.ok(isOpen({operations: [{state: 'done'}, {state: 'inspection'}]}) && isOpen({operations: []}))
  assert.ok(!isOpen({operations: [{state: 'done'}]}))
})

test('two taps have two names, that fit the hub', () => {
  assert.notEqual(newTap(NOON, 0.1), newTap(NOON, 0.2))
  assert.ok(newTap(NOON, 0.999).length <= 64)
})

test('a due date is typed as the plant sees it and sent as an instant', () => {
  assert.equal(instantOf('2026-01-05T16:30', 'Asia/Shanghai'), '2026-01-05T08:30:00Z')
  assert.equal(instantOf('2026-07-05T16:30', 'Europe/Berlin'), '2026-07-05T14:30:00Z')
  assert.equal(instantOf('2026-03-29T12:00', 'Europe/Berlin'), '2026-03-29T10:00:00Z', 'the day the clocks change')
  assert.equal(instantOf('2026-01-05T16:30', ''), '2026-01-05T16:30:00Z')
  assert.equal(instantOf('', 'Asia/Shanghai'), '')
  assert.equal(localOf('2026-01-05T08:30:00Z', 'Asia/Shanghai'), '2026-01-05T16:30')
  assert.equal(localOf('soon', 'Asia/Shanghai'), '')
})
