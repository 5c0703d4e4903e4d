import assert from 'node:assert/strict'
import {test} from 'node:test'
import {circuitText} from '../../screens/static/lib/status.js'

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
