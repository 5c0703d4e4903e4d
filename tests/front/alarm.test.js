import assert from 'node:assert/strict'
import {test} from 'node:test'
import {asksWhy, putAside, request, rulesOf, wishes} from '../../screens/static/lib/alarm.js'
import {wrongNow} from '../../screens/static/lib/board.js'

const NOW = Date.parse('2026-01-05T12:00:00Z')
const TECHNICIAN = {roles: ['technician']}
const alarm = (state, more = {}) => ({id: 7, state, condition: true, priority: 'high', ...more})

test('an alarm offers what its state allows, the usual first', () => {
  const offered = {
    unacked: ['acknowledge', 'shelve', 'out-of-service'],
    acked: ['shelve', 'out-of-service'],
    'rtn-unacked': ['acknowledge', 'shelve', 'out-of-service'],
    shelved: ['unshelve', 'out-of-service'],
    suppressed: ['out-of-service'],
    'out-of-service': ['return'],
    normal: [],
  }
  for (const [state, verbs] of Object.entries(offered)) assert.deepEqual(wishes(alarm(state), TECHNICIAN), verbs, state)
  assert.deepEqual(wishes(undefined, TECHNICIAN), [])
})

test('only a latched alarm that is over is reset', () => {
  const latched = more => wishes(alarm('acked', {latched: true, ...more}), TECHNICIAN)
  assert.ok(!latched({condition: true}).includes('reset'))
  assert.equal(latched({condition: false})[0], 'reset')
  assert.ok(!wishes(alarm('shelved', {latched: true, condition: false}), TECHNICIAN).includes('reset'))
})

test('who may not is not offered it', () => {
  assert.deepEqual(wishes(alarm('unacked', {latched: true, condition: false}), {roles: ['operator']}), ['acknowledge', 'reset'])
  assert.deepEqual(wishes(alarm('unacked'), {roles: ['viewer']}), [])
  assert.deepEqual(wishes(alarm('out-of-service'), {roles: ['operator']}), [])
})

test('the hub is asked with a reason where it wants one, and for an end on its own clock', () => {
  assert.deepEqual(request(alarm('unacked'), {verb: 'shelve', reason: 'sensor', hours: 0.5}, NOW),
    {path: '/api/alarms/7/shelve', body: {reason: 'sensor', until: '2026-01-05T12:30:00.000Z'}})
  assert.deepEqual(request(alarm('unacked'), {verb: 'out-of-service', reason: 'overhaul'}, NOW),
    {path: '/api/alarms/7/out-of-service', body: {reason: 'overhaul'}})
  assert.deepEqual(request(alarm('shelved'), {verb: 'unshelve'}, NOW), {path: '/api/alarms/7/unshelve', body: {}})
  assert.deepEqual(['shelve', 'out-of-service', 'reset', 'return'].filter(asksWhy), ['shelve', 'out-of-service'])
})

test('what is put aside is listed, the newest first, and does not trouble the band', () => {
  const board = {machines: {m: {state: 'executing'}}, alarms: {
    1: alarm('shelved', {id: 1, aside: {at: '2026-01-05T10:00:00Z'}}), 2: alarm('acked', {id: 2}),
    3: alarm('suppressed', {id: 3, aside: {at: '2026-01-05T11:00:00Z'}}), 4: alarm('out-of-service', {id: 4})}}
  assert.deepEqual(putAside(board).map(a => a.id), [3, 1, 4])
  assert.deepEqual(putAside(null), [])
  delete board.alarms[2]
  assert.equal(wrongNow(board).kind, 'calm')
})

test('a machine offers each of its rules once', () => {
  const rules = [{rule: 'faults', equipment: 'm', subject: 'm/f#1', title: 'a'}, {rule: 'faults', equipment: 'm', subject: 'm/f#2', title: 'b'},
    {rule: 'hot', equipment: 'n', subject: 'n/t', title: 'c'}]
  assert.deepEqual(rulesOf(rules, 'm').map(r => r.rule), ['faults'])
})
