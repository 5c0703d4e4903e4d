import assert from 'node:assert/strict'
import {test} from 'node:test'
import {circuitText, lineText} from '../../screens/static/lib/status.js'

const t = (key, {n = '', at = '', why = ''} = {}) => [key, n, at, why].filter(Boolean).join(' ')

test('the way to a device says how it stands, how often it failed and when it is tried again', () => {
  const open = {state: 'open', failures: 3, next_try: '2026-01-05T12:00:05Z', last_error: 'no answer'}
  assert.equal(circuitText(open, t, at => at.slice(11, 19)), 'circuit.open · circuit.failures 3 · circuit.next 12:00:05')
})

test('one that is closed again says why it was open, and a part of our own has none', () => {
  assert.equal(circuitText({state: 'closed', failures: 0, next_try: null, last_error: 'no answer'}, t), 'circuit.closed · circuit.last no answer')
  assert.equal(circuitText({state: 'closed', failures: 0, next_try: null, last_error: ''}, t), 'circuit.closed')
  assert.equal(circuitText(undefined, t), '—')
})

test('a line says that anybody may listen, until when certificates are good, and what was lost', () => {
  const say = (key, {how = '', at = '', n = ''} = {}) => [key, how, at, n].filter(x => x !== '').join(' ')
  const day = at => at.slice(0, 10)
  assert.equal(lineText({line: {opened: 'none'}, lost: {overflow: 3, notification: 0}}, say, day), 'line.open none · line.lost.overflow 3')
  assert.equal(lineText({line: {opened: '', own_until: '2026-12-24T00:00:00Z', peer_until: '2027-01-01T00:00:00Z'}}, say, day), 'line.own 2026-12-24 · line.peer 2027-01-01')
  assert.equal(lineText({line: {opened: ''}}, say), '—')
  assert.equal(lineText({}, say), '—')
})
