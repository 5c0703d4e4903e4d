import assert from 'node:assert/strict'
import {test} from 'node:test'
import {Store} from '../../screens/static/lib/store.js'
import {HandClock} from './hand_clock.js'

test('ages are told on the hub\'s clock, however wrong the screen\'s own is', async () => {
  const clock = new HandClock(Date.parse('2031-05-05T00:00:00Z'))
  const store = new Store(clock)
  store.take({}, '2026-01-05T12:00:00Z')
  await clock.turn(5000)
  assert.equal(new Date(store.now()).toISOString(), '2026-01-05T12:00:05.000Z')
  assert.equal(store.silence(), 5)
})

test('before the first word there is no silence to speak of', () => {
  assert.equal(new Store(new HandClock()).silence(), null)
})

test('listeners hear of a new board and of a new status, but not of a heartbeat', () => {
  const store = new Store(new HandClock())
  let told = 0
  store.subscribe(() => told++)
  const board = {}
  store.take(board, '2026-01-05T12:00:00Z')
  store.take(board, '2026-01-05T12:00:01Z')
  store.become('lost')
  assert.equal(told, 2)
})
