import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {before, test} from 'node:test'
import {abbreviate, age, clock, fitScale, labelled, localTime, number, percent, shortAge, shorten, signed, since, widthOf} from '../../screens/static/lib/format.js'
import {t, useLanguage} from '../../screens/static/lib/i18n.js'

const words = code => JSON.parse(readFileSync(new URL(`../../screens/static/i18n/${code}.json`, import.meta.url)))
const NOON = Date.parse('2026-01-05T12:00:00Z')
const ago = seconds => new Date(NOON - seconds * 1000).toISOString()

before(() => useLanguage('zh-CN', words('zh-CN')))

test('a span reads as people say it', () => {
  assert.equal(age(0.4, t), '0 秒')
  assert.equal(age(59.9, t), '59 秒')
  assert.equal(age(12 * 60 + 59, t), '12 分钟')
  assert.equal(age(3 * 3600 + 5 * 60, t), '3 小时 5 分')
  assert.equal(age(2 * 86400 + 4 * 3600, t), '2 天 4 小时')
  assert.equal(age(-5, t), '0 秒', 'a device clock ahead of ours is not minus five seconds old')
})

test('the same spans in English', () => {
  useLanguage('en', words('en'))
  assert.equal(age(12 * 60, t), '12 min')
  assert.equal(age(3 * 3600 + 5 * 60, t), '3 h 5 min')
  useLanguage('zh-CN', words('zh-CN'))
})

test('fresh things have an age, older ones a clock time in the plant\'s zone', () => {
  assert.equal(since(ago(720), NOON, 'Asia/Shanghai', t), '12 分钟')
  assert.equal(since(ago(3601), NOON, 'Asia/Shanghai', t), '18:59 起')
  assert.equal(since(ago(86400), NOON, 'Asia/Shanghai', t), '01-04 20:00 起')
  assert.equal(since(undefined, NOON, 'Asia/Shanghai', t), '—')
})

test('midnight is 00:00, and an unknown zone does not stop the wall', () => {
  assert.equal(clock('2026-01-04T16:00:00Z', 'Asia/Shanghai'), '00:00')
  assert.equal(clock('2026-01-04T16:00:00Z', 'Mars/Olympus'), '16:00')
  assert.equal(localTime('2026-01-04T16:00:09Z', 'Asia/Shanghai'), '2026-01-05 00:00:09')
})

test('numbers have as many digits as were asked for, and groups of three', () => {
  assert.equal(number(1234.567, 1), '1,234.6')
  assert.equal(number(1234567), '1,234,567')
  assert.equal(number(-0.04, 1), '0.0', 'no minus nought')
  assert.equal(number(-3.25, 2), '−3.25')
  assert.equal(number(undefined), '—')
  assert.equal(number(NaN, 1), '—')
})

test('a difference to the plan always shows its sign', () => {
  assert.equal(signed(12), '+12')
  assert.equal(signed(-60), '−60')
  assert.equal(signed(0), '±0')
})

test('an OEE factor above one is shown, not capped', () => {
  assert.equal(percent(1.024), '102')
  assert.equal(percent(undefined), '—')
})

test('short ages have one letter', () => {
  assert.deepEqual([3, 75, 7300, 200000].map(shortAge), ['3s', '1m', '2h', '2d'])
})

test('long names lose their middle, never their number', () => {
  assert.equal(shorten('冲压机 01', 9), '冲压机 01')
  const short = shorten('六轴装配机器人（东侧工位）01', 9)
  assert.ok(short.startsWith('六轴'))
  assert.ok(short.endsWith('01'))
  assert.ok(widthOf(short) <= 9)
})

test('names made of words are shortened at their borders, never inside a short word', () => {
  assert.equal(shorten('Oil temperature', 7), 'Oil temp.')
  assert.equal(shorten('Spindle load', 9), 'Spindle load')
  assert.equal(shorten('Stamping', 3.6), 'Stam.')
  assert.equal(shorten('Sealing temperature', 6.4), 'Seal. temp.')
  assert.equal(shorten('Six-axis assembly robot east 01', 9), 'Six-axis… 01')
  assert.equal(shorten('Zone 1', 2), 'Zone 1', 'short words stay whole; the page wraps or scales them')
})

test('the shortest name keeps first letter and number', () => {
  assert.equal(abbreviate('冲压机 01', 2.5), '冲01')
  assert.equal(abbreviate('Press 07', 2.5), 'Pr07')
  assert.equal(abbreviate('炉', 2.5), '炉')
})

test('a title that fits is not made smaller', () => {
  assert.equal(fitScale('油温过高', 15), 1)
  assert.ok(fitScale('很'.repeat(30), 15) <= 0.5)
})

test('a name that says what its label says stands alone', () => {
  assert.equal(labelled('值班 {who}', '值班技师乙'), '值班技师乙')
  assert.equal(labelled('值班 {who}', '李强'), '值班 李强')
  assert.equal(labelled('On duty: {who}', 'Technician on duty B'), 'Technician on duty B')
  assert.equal(labelled('On duty: {who}', 'Technician B'), 'On duty: Technician B')
})
