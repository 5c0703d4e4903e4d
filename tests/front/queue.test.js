import assert from 'node:assert/strict'
import {beforeEach, test} from 'node:test'
import {ApiError} from '../../screens/static/lib/api.js'
import {Queue} from '../../screens/static/lib/queue.js'
import {MemoryShelf} from '../../screens/static/lib/shelf.js'

const AT = '2026-01-05T12:00:00Z'
let shelf, sent, answer

beforeEach(() => {
  shelf = new MemoryShelf()
  sent = []
  answer = async () => {}
})

async function opened() {
  const queue = new Queue({shelf, send: async item => {
    sent.push(item.verb)
    await answer(item)
  }})
  await queue.open()
  return queue
}

const action = (verb, more) => ({ticket: 'AH-1', verb, person: 'zhang', at: AT, body: {}, ...more})

test('actions go out in the order in which they were made and leave the shelf', async () => {
  const queue = await opened()
  await queue.add(action('accept'))
  await queue.add(action('arrive'))
  assert.equal(await queue.flush('zhang'), '')
  assert.deepEqual(sent, ['accept', 'arrive'])
  assert.deepEqual(await shelf.all(), [])
})

test('without network everything stays, survives a reload and goes out later', async () => {
  answer = async () => {
    throw new ApiError(0, 'unreachable', null)
  }
  const before = await opened()
  await before.add(action('accept'))
  await before.add(action('arrive'))
  assert.equal(await before.flush('zhang'), 'offline')
  assert.deepEqual(sent, ['accept'], 'what follows waits for what comes first')

  answer = async () => {}
  sent = []
  const after = await opened()
  assert.equal(await after.flush('zhang'), '')
  assert.deepEqual(sent, ['accept', 'arrive'])
})

test('a refusal is told and kept until it was read, and later steps of that ticket wait', async () => {
  answer = async item => {
    if (item.verb === 'accept') throw new ApiError(409, 'already-accepted', {zh: '已由李强接单', en: 'taken'})
  }
  const queue = await opened()
  await queue.add(action('accept'))
  await queue.add(action('arrive'))
  await queue.add(action('accept', {ticket: 'AH-2', verb: 'arrive'}))
  assert.equal(await queue.flush('zhang'), '')
  assert.deepEqual(queue.items.map(i => [i.ticket, i.verb, i.conflict?.code]), [['AH-1', 'accept', 'already-accepted'], ['AH-1', 'arrive', undefined]])
  await queue.dismiss(queue.items[0].id)
  assert.equal(queue.items.length, 1)
})

test('a session that has ended keeps everything and asks for a login', async () => {
  answer = async () => {
    throw new ApiError(401, 'not-logged-in', null)
  }
  const queue = await opened()
  await queue.add(action('accept'))
  assert.equal(await queue.flush('zhang'), 'login')
  assert.equal(queue.items[0].conflict, null)
})

test('nothing is sent in the name of somebody else', async () => {
  const queue = await opened()
  await queue.add(action('accept'))
  assert.equal(await queue.flush('li'), '')
  assert.deepEqual(sent, [])
  assert.equal(queue.items.length, 1)
})

test('a busy hub is a passing trouble, not a refusal', async () => {
  for (const status of [429, 500, 503]) {
    answer = async () => {
      throw new ApiError(status, 'busy', null)
    }
    const queue = await opened()
    await queue.add(action('accept'))
    assert.equal(await queue.flush('zhang'), 'offline')
  }
})

test('two flushes at once send everything once', async () => {
  const queue = await opened()
  await queue.add(action('accept'))
  await Promise.all([queue.flush('zhang'), queue.flush('zhang')])
  assert.deepEqual(sent, ['accept'])
})
