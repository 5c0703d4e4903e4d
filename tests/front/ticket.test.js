import assert from 'node:assert/strict'
import {test} from 'node:test'
import {curveOf, involved, isOpen, may, mayBegin, nextStep, ordered, steps, withWaiting} from '../../screens/static/lib/ticket.js'

const AT = '2026-01-05T12:00:00Z'
const ticket = more => ({id: 'AH-1', state: 'sent', ...more})

test('the row shows what is done, what is next and what comes later', () => {
  assert.deepEqual(steps(ticket()).map(s => s.place), ['next', 'later', 'later', 'later'])
  assert.deepEqual(steps(ticket({accepted_at: AT, arrived_at: AT})).map(s => s.place), ['done', 'done', 'next', 'later'])
  assert.equal(nextStep(ticket({accepted_at: AT, arrived_at: AT, repaired_at: AT})), 'close')
})

test('a closed ticket has nothing left to press, however it was closed', () => {
  assert.equal(nextStep(ticket({state: 'closed', closed_at: AT})), '')
  assert.equal(nextStep(ticket({state: 'false-alarm'})), '')
  assert.equal(isOpen(ticket({state: 'verifying'})), true)
})

test('technicians repair, managers close by hand, operators only acknowledge', () => {
  const who = (...roles) => ({roles})
  assert.equal(may(who('technician'), 'accept'), true)
  assert.equal(may(who('technician'), 'close'), false)
  assert.equal(may(who('manager'), 'close'), true)
  assert.equal(may(who('operator'), 'acknowledge'), true)
  assert.equal(may(who('operator'), 'repair'), false)
  assert.equal(may(who('viewer'), 'acknowledge'), false)
  assert.equal(may(null, 'accept'), false)
})

test('what waits on the phone is shown as done, what was refused is not', () => {
  const waiting = {ticket: 'AH-1', verb: 'accept', at: AT}
  assert.equal(withWaiting(ticket(), [waiting]).accepted_at, AT)
  assert.equal(withWaiting(ticket(), [{...waiting, conflict: {code: 'x'}}]).accepted_at, undefined)
  assert.equal(withWaiting(ticket(), [{...waiting, ticket: 'AH-2'}]).accepted_at, undefined)
})

test('my tickets come first, then whoever has stood longest', () => {
  const board = {
    a: ticket({id: 'a', stopped_at: '2026-01-05T11:00:00Z'}),
    b: ticket({id: 'b', stopped_at: '2026-01-05T10:00:00Z'}),
    c: ticket({id: 'c', stopped_at: '2026-01-05T11:30:00Z', technician: {id: 'me'}}),
    d: ticket({id: 'd', state: 'closed'}),
  }
  assert.deepEqual(ordered(board, 'me').map(x => x.id), ['c', 'b', 'a'])
})

test('who is there may say that the repair begins, once, and need not', () => {
  const zhang = {roles: ['technician']}
  const there = ticket({state: 'on-site', accepted_at: AT, arrived_at: AT})
  assert.equal(mayBegin(there, zhang), true)
  assert.equal(mayBegin(there, {roles: ['operator']}), false)
  assert.equal(mayBegin(ticket({accepted_at: AT}), zhang), false)
  const begun = withWaiting(there, [{ticket: 'AH-1', verb: 'begin', at: AT}])
  assert.deepEqual([begun.state, mayBegin(begun, zhang), nextStep(begun)], ['repairing', false, 'repair'])
})

test('who is on duty finds their own name on an open ticket, and a closed one asks for nobody', () => {
  const alarm = {owner: {id: 'li'}, acked_by: 'wang'}
  const ticket = {state: 'accepted', technician: {id: 'zhang'}}
  const as = (who, more = {}) => involved({...ticket, ...more}, alarm, {id: who}).map(found => `${found.as} ${found.person.id}`)
  assert.deepEqual(as('chen'), ['duty li', 'acked wang', 'technician zhang'])
  assert.deepEqual(as('li'), ['yours li', 'acked wang', 'technician zhang'])
  assert.deepEqual(as('zhang'), ['duty li', 'acked wang'])
  assert.deepEqual(as('li', {state: 'closed'}), [])
})

test('the curve of a ticket reaches from before the stop to after the recovery', () => {
  const at = clock => Date.parse(`2026-01-05T${clock}:00Z`)
  const ticket = {opened_at: '2026-01-05T09:01:00Z', stopped_at: '2026-01-05T09:00:00Z'}
  assert.deepEqual(curveOf(ticket, at('09:10')), {minutes: 60, until: null})
  assert.deepEqual(curveOf(ticket, at('11:00')), {minutes: 140, until: null})
  const closed = {...ticket, closed_at: '2026-01-05T09:30:00Z'}
  assert.deepEqual(curveOf(closed, at('09:32')), {minutes: 52, until: null})
  assert.deepEqual(curveOf(closed, at('15:00')), {minutes: 60, until: at('09:40')})
})
