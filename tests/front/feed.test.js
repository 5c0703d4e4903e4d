import assert from 'node:assert/strict'
import {beforeEach, test} from 'node:test'
import {Feed, QUIET_LIMIT} from '../../screens/static/lib/feed.js'
import {HandClock, settle} from './hand_clock.js'

const AT = '2026-01-05T12:00:00Z'
let clock, sockets, polls, seen, statuses, feed

class Socket {
  closed = false
  constructor() {
    sockets.push(this)
  }

  close() {
    this.closed = true
  }

  say(frame) {
    this.onmessage({data: typeof frame === 'string' ? frame : JSON.stringify(frame)})
  }
}

beforeEach(() => {
  clock = new HandClock()
  sockets = []
  seen = []
  statuses = []
  polls = {answer: () => Promise.reject({status: 0}), asked: 0}
  feed = new Feed({
    clock,
    connect: () => new Socket(),
    poll: () => (polls.asked++, polls.answer()),
    onBoard: (board, at) => seen.push({board, at}),
    onStatus: status => statuses.push(status),
    random: () => 0.5,
  })
  feed.start()
})

const snapshot = (seq, board) => ({type: 'snapshot', seq, at: AT, board})
const patch = (seq, board) => ({type: 'patch', seq, at: AT, board})
const heartbeat = seq => ({type: 'heartbeat', seq, at: AT})

test('a snapshot and its patches make one board', () => {
  sockets[0].say(snapshot(7, {a: 1, b: {c: 2}}))
  sockets[0].say(patch(8, {b: {c: null, d: 3}}))
  assert.deepEqual(feed.board, {a: 1, b: {d: 3}})
  assert.equal(feed.status, 'live')
})

test('a gap in the sequence closes the connection and opens a new one', async () => {
  sockets[0].say(snapshot(1, {a: 1}))
  sockets[0].say(patch(3, {a: 9}))
  assert.equal(sockets[0].closed, true)
  assert.deepEqual(feed.board, {a: 1}, 'a patch after a gap must not be shown')
  await clock.turn(600)
  assert.equal(sockets.length, 2)
})

test('a heartbeat that knows of more than we have heard is a gap, too', () => {
  sockets[0].say(snapshot(1, {}))
  sockets[0].say(heartbeat(2))
  assert.equal(sockets[0].closed, true)
})

test('a patch before any snapshot is not taken for a board', () => {
  sockets[0].say(patch(1, {a: 1}))
  assert.equal(feed.board, null)
})

test('words that are no JSON start the connection over', () => {
  sockets[0].say('<html>')
  assert.equal(sockets[0].closed, true)
})

test('four seconds without a word and the page is told that it is deaf', async () => {
  sockets[0].say(snapshot(1, {a: 1}))
  await clock.turn(QUIET_LIMIT - 100)
  assert.equal(feed.status, 'live')
  await clock.turn(400)
  assert.equal(feed.status, 'lost')
  assert.equal(sockets[0].closed, true, 'a half-open connection is given up')
})

test('heartbeats keep a steady board alive', async () => {
  sockets[0].say(snapshot(1, {a: 1}))
  for (let i = 0; i < 10; i++) {
    await clock.turn(1000)
    sockets[0].say(heartbeat(1))
  }
  assert.deepEqual(statuses, ['live'])
})

test('pauses between attempts grow up to fifteen seconds, and a word of the hub starts them afresh', async () => {
  const opened = []
  for (let i = 0; i < 8; i++) {
    const before = clock.now()
    sockets.at(-1).onclose()
    const many = sockets.length
    while (sockets.length === many) await clock.turn(250)
    opened.push(clock.now() - before)
  }
  assert.deepEqual(opened, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000])
  sockets.at(-1).say(snapshot(1, {}))
  sockets.at(-1).say(heartbeat(1))
  const before = clock.now()
  sockets.at(-1).onclose()
  const many = sockets.length
  while (sockets.length === many) await clock.turn(250)
  assert.equal(clock.now() - before, 500)
})

test('where no WebSocket can be had the board is fetched, and that is said', async () => {
  polls.answer = async () => ({board: {a: polls.asked}, at: AT})
  sockets[0].onclose()
  await clock.turn(5000)
  assert.equal(feed.status, 'polling')
  assert.ok(polls.asked >= 3)
  assert.equal(feed.board.a, polls.asked)
})

test('fetching ends when the WebSocket is back', async () => {
  polls.answer = async () => ({board: {a: 1}, at: AT})
  sockets[0].onclose()
  await clock.turn(600)
  sockets[1].say(snapshot(1, {a: 2}))
  const asked = polls.asked
  for (let i = 0; i < 5; i++) {
    await clock.turn(1000)
    sockets[1].say(heartbeat(1))
  }
  assert.equal(polls.asked, asked)
  assert.equal(feed.status, 'live')
})

test('who may not see the board is told so, not that the hub is away', async () => {
  polls.answer = () => Promise.reject({status: 401})
  sockets[0].onclose()
  await clock.turn(9000)
  assert.deepEqual(statuses, ['denied'])
})

test('an old connection that still talks is not listened to', async () => {
  sockets[0].say(snapshot(1, {a: 1}))
  const old = sockets[0]
  old.say(patch(5, {a: 5}))
  await clock.turn(600)
  sockets[1].say(snapshot(9, {a: 9}))
  old.say(patch(10, {a: 666}))
  assert.equal(feed.board.a, 9)
})

test('a connection attempt that hangs is given up as well', async () => {
  await clock.turn(QUIET_LIMIT + 300)
  assert.equal(sockets[0].closed, true)
  await clock.turn(1000)
  assert.ok(sockets.length >= 2)
})

test('after being lost the first word makes the page live again', async () => {
  sockets[0].say(snapshot(1, {a: 1}))
  await clock.turn(6000)
  assert.equal(feed.status, 'lost')
  sockets.at(-1).say(snapshot(1, {a: 2}))
  await settle()
  assert.equal(feed.status, 'live')
})
