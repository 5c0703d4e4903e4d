import assert from 'node:assert/strict'
import {beforeEach, test} from 'node:test'
import {Api, ApiError} from '../../screens/static/lib/api.js'

let asked, answers

beforeEach(() => {
  asked = []
  answers = {}
})

const json = (status, body) => new Response(JSON.stringify(body), {status, headers: {'Content-Type': 'application/json'}})
const api = () => new Api(async (path, options) => {
  asked.push([options.method, path, options.headers['X-Andon-CSRF']])
  return answers[path].shift()()
})

test('whatever writes carries the token, and asks for it first when it has none', async () => {
  answers['/api/me'] = [() => json(200, {person: {}, csrf: 'abc'})]
  answers['/api/tickets/1/accept'] = [() => json(200, {ticket: {}})]
  await api().post('/api/tickets/1/accept', {})
  assert.deepEqual(asked, [['GET', '/api/me', undefined], ['POST', '/api/tickets/1/accept', 'abc']])
})

test('a token that has gone stale is renewed once, not for ever', async () => {
  answers['/api/me'] = [() => json(200, {csrf: 'old'}), () => json(200, {csrf: 'new'})]
  const stale = () => json(403, {error: {code: 'csrf', text: {zh: '', en: ''}}})
  answers['/api/x'] = [stale, stale]
  await assert.rejects(api().post('/api/x'), error => error instanceof ApiError && error.code === 'csrf')
  assert.deepEqual(asked.filter(([, path]) => path === '/api/x').map(([, , token]) => token), ['old', 'new'])
})

test('being forbidden is not mistaken for a stale token', async () => {
  answers['/api/me'] = [() => json(200, {csrf: 'abc'})]
  answers['/api/x'] = [() => json(403, {error: {code: 'not-allowed', text: {zh: '不行', en: 'no'}, id: '7'}})]
  await assert.rejects(api().post('/api/x'), error => error.status === 403 && error.text.en === 'no' && !error.isPassing)
})

test('logging in needs no token and brings one', async () => {
  answers['/api/login'] = [() => json(200, {person: {id: 'a'}, csrf: 'fresh'})]
  answers['/api/y'] = [() => new Response(null, {status: 204})]
  const door = api()
  await door.login('a', 'b')
  assert.equal(await door.post('/api/y'), null)
  assert.deepEqual(asked.map(([, path]) => path), ['/api/login', '/api/y'])
  assert.equal(asked[1][2], 'fresh')
})

test('no network is a passing trouble, and so is a proxy that answers in HTML', async () => {
  answers['/api/board'] = [() => Promise.reject(new TypeError('fetch failed')), () => new Response('<html>', {status: 502})]
  const reader = api()
  await assert.rejects(reader.get('/api/board'), error => error.status === 0 && error.isPassing)
  await assert.rejects(reader.get('/api/board'), error => error.status === 502 && error.code === 'unknown' && error.isPassing)
})
