import assert from 'node:assert/strict'
import {readdirSync, readFileSync} from 'node:fs'
import {test} from 'node:test'
import {hashValues, feedAddress, loginAddress, nextPage, safeNext} from '../../screens/static/lib/route.js'
import {csv, filtered, sorted} from '../../screens/static/lib/table.js'
import {detailText, droppedOf, figuresOf, isWell, partKey, partName, partTitle, partsOf, sourcesOf, troubleText, upWord} from '../../screens/static/lib/status.js'
import {timelineTraces} from '../../screens/static/lib/charts.js'
import {fitted} from '../../screens/static/lib/photo.js'

const STATIC = new URL('../../screens/static/', import.meta.url)
const read = path => readFileSync(new URL(path, STATIC), 'utf8')
const files = folder => readdirSync(new URL(folder, STATIC)).filter(name => /\.(js|css|html)$/.test(name)).map(name => `${folder}${name}`)

test('after login only our own pages are gone to', () => {
  assert.equal(safeNext('/phone#t=AH-20260105-0007'), '/phone#t=AH-20260105-0007')
  assert.equal(safeNext('/wall?lang=en'), '/wall?lang=en')
  for (const trick of ['//evil.example/wall', 'https://evil.example', '/\\evil.example', 'javascript:alert(1)', '/api/logout', '/phone\n//x',
    '/wall/../../evil', '', null, undefined]) assert.equal(safeNext(trick), '/phone', String(trick))
})

test('the way to the login page remembers where we were, ticket and all', () => {
  const address = loginAddress({pathname: '/phone', search: '', hash: '#t=AH-1'})
  assert.equal(safeNext(new URL(address, 'http://x').searchParams.get('next')), '/phone#t=AH-1')
})

test('addresses hold what they should', () => {
  assert.deepEqual({...hashValues('#t=AH-1&do=repair')}, {t: 'AH-1', do: 'repair'})
  assert.equal(feedAddress({protocol: 'https:', host: 'hub:8800'}), 'wss://hub:8800/ws')
})

test('no page runs a script of its own text, and nothing is fetched from elsewhere', () => {
  for (const page of files('').filter(name => name.endsWith('.html'))) {
    assert.doesNotMatch(read(page), /<script(?![^>]*\ssrc=)|\son\w+=|<style|style=/, page)
  }
  for (const path of ['', 'lib/', 'elements/', 'pages/', 'styles/'].flatMap(files)) {
    const found = read(path).replaceAll('http://www.w3.org/2000/svg', '').replaceAll('http://here.invalid', '').match(/https?:\/\/[^\s'"`$]+/)
    assert.equal(found, null, `${path}: ${found}`)
  }
})

test('elements never fetch and never write markup', () => {
  for (const path of files('elements/')) assert.doesNotMatch(read(path), /\bfetch\(|innerHTML|insertAdjacentHTML|new WebSocket/, path)
})

test('the library that runs without a browser names no document', () => {
  for (const name of ['merge', 'feed', 'store', 'format', 'board', 'ticket', 'layout', 'queue', 'route', 'table', 'status', 'charts', 'change', 'difference', 'erp']) {
    assert.doesNotMatch(read(`lib/${name}.js`), /\bdocument\.|\bwindow\.|localStorage/, name)
  }
})

const COLUMNS = [{key: 'a', title: 'A', text: row => row.a}, {key: 'n', title: 'N', text: row => String(row.n ?? '—'), sort: row => row.n}]
const ROWS = [{a: '冲压机', n: 2}, {a: '固化炉', n: 10}, {a: '灌装机'}]

test('tables are filtered by all words and sorted by value, empty cells last', () => {
  assert.deepEqual(filtered(ROWS, COLUMNS, '机 2').map(r => r.a), ['冲压机'])
  assert.deepEqual(sorted(ROWS, COLUMNS[1], false).map(r => r.n), [2, 10, undefined])
  assert.deepEqual(sorted(ROWS, COLUMNS[1], true).map(r => r.n), [10, 2, undefined])
  assert.equal(sorted(ROWS, undefined, true), ROWS)
})

test('an exported cell cannot become a formula', () => {
  assert.match(csv([{a: '=HYPERLINK("http://x")', n: 1}], COLUMNS), /"'=HYPERLINK\(""http:\/\/x""\)"/)
  for (const trick of ['=1+1', '+1+cmd|x', '-2+3+cmd', '@SUM(A1)', '\tx', '\rx', '\n=x', '＝1+1', '＠SUM', '-', '+x']) {
    assert.ok(csv([{a: trick}], COLUMNS).includes(`"'${trick}"`), JSON.stringify(trick))
  }
  for (const number of ['-5', '+12', '-1,234.5', '-3%', '42']) assert.ok(csv([{a: number}], COLUMNS).includes(`"${number}"`), number)
})

test('the status page understands parts by name or as a list and hides no figure', () => {
  assert.deepEqual(partsOf({parts: {rules: true, erp: {up: false, restarts: 3}}}).map(p => [p.name, p.up, p.restarts]), [['erp', false, 3], ['rules', true, 0]])
  assert.deepEqual(partsOf({parts: {a: true, b: {up: true, detail: {wecom: {dead: 1}}}}}).map(p => p.name), ['b', 'a'])
  assert.equal(partsOf({parts: [{name: 'x', up: true}]})[0].name, 'x')
  assert.deepEqual(sourcesOf({sources: {a: {up: true}, b: {up: false, error: 'x'}}}).map(s => s.name), ['b', 'a'])
  assert.deepEqual(figuresOf({parts: {}, outbox: {waiting: {tell: 2}, dead: 0}, note: 'x'}), [
    {name: 'outbox.waiting.tell', value: 2}, {name: 'outbox.dead', value: 0}, {name: 'note', value: 'x'}])
})

test('a part tells only what it has to tell, moments as people read them', () => {
  const zh = JSON.parse(readFileSync(new URL('../../screens/static/i18n/zh-CN.json', import.meta.url)))
  const t = key => zh[key] ?? key
  assert.equal(detailText({up: true, last_error: '', done: 87, asked: null, odd: 1, last_ok: '2026-01-05T12:00:00+00:00'}, t, iso => iso.slice(11, 16)),
    '完成 87 · odd 1 · 最近成功 12:00')
  assert.equal(detailText({inbox: {sent: 3, dead: 0, last_error: ''}, wecom: {sent: 1, dead: 2, held_seconds: 4.5, last_error: 'x'}}, t),
    'wecom: 已送出 1 · 无法送达 2 · 暂停 4.5 s · 最近错误 x; inbox: 已送出 3 · 无法送达 0')
  assert.equal(detailText({standby: true, compressed: []}, t), '待命')
  assert.deepEqual([{up: true}, {up: false}, {up: true, error: 'x'}, {up: true, detail: {a: {sent: 1}}}, {up: true, detail: {a: {dead: 1}}}].map(isWell), [true, false, false, true, false])
  assert.deepEqual(['feed', 'erp bridge', 'collector modbus-l3', 'unheard of'].map(name => partName(name, t)), ['看板推送', 'ERP 接口', '采集 modbus-l3', 'unheard of'])
  assert.equal(partName('mes plan tickets', t), 'MES 接口 plan 维修进度回告')
  assert.deepEqual(['not heard', 'SourceUnavailable: no answer: 10.0.0.7', 'no route', '', undefined].map(text => troubleText(text, t)),
    ['没有消息', '数据源连不上: no answer: 10.0.0.7', 'no route', '', ''])
})

test('samples that a full spool has dropped are told by part and source, and the part is up', () => {
  const spool = {name: 'spool', up: true, detail: {spool_dropped_samples: 396, spool_dropped_of: {mq: 96, drop: 300}}}
  assert.deepEqual(droppedOf([{name: 'web', up: true, detail: {}}, spool]).map(({part, n, of}) => [part.name, n, of]), [['spool', 396, [['drop', 300], ['mq', 96]]]])
  assert.deepEqual(droppedOf([{name: 'spool', up: true, detail: {spool_dropped_samples: 5}}]).map(({n, of}) => [n, of]), [[5, []]]) // an edge of the release before
  assert.deepEqual(droppedOf([{name: 'spool', up: true, detail: {spool_dropped_samples: 0, spool_dropped_of: {}}}]), [])
  assert.deepEqual([upWord(spool), isWell(spool), detailText(spool.detail, key => key)], ['up', false, 'spool_dropped_samples 396'])
})

test('parts of several processes that have one name are rows of their own', () => {
  const parts = [{name: 'spool', process: 'hub:all:1'}, {name: 'spool', process: 'edge:collectors:7'}, {name: 'web', process: 'hub:all:1'}]
  assert.equal(new Set(parts.map(partKey)).size, 3)
  assert.deepEqual(parts.map(part => partTitle(part, parts, key => key)), ['spool · hub:all:1', 'spool · edge:collectors:7', 'web'])
})

test('the timeline has one bar a span, in the plant\'s time, and the present one lasts until now', () => {
  const now = Date.parse('2026-01-05T12:00:00Z')
  const [trace] = timelineTraces([{equipment: 'm', state: 'fault', since: '2026-01-05T11:50:00Z', until: null}], ['m'],
    {colours: {fault: 'red'}, stateWord: s => s, nameOf: p => p, local: at => `local ${at}`, lasting: s => `${s} s`, now})
  assert.deepEqual([trace.base[0], trace.x[0], trace.customdata[0]], ['local 2026-01-05T11:50:00Z', 600_000, 'fault 600 s'])
})

test('photos are made smaller, never larger, and keep their shape', () => {
  assert.deepEqual(fitted(4000, 3000), {width: 1600, height: 1200})
  assert.deepEqual(fitted(3000, 4000), {width: 1200, height: 1600})
  assert.deepEqual(fitted(800, 600), {width: 800, height: 600})
})

test('what stood behind the # of a page comes back after login, the form of the password does not', () => {
  assert.equal(nextPage({search: '?next=%2Fphone', hash: '#t=AH-1'}), '/phone#t=AH-1')
  assert.equal(nextPage({search: '?next=%2Fphone%23t%3DAH-1', hash: ''}), '/phone#t=AH-1')
  assert.equal(nextPage({search: '?next=%2Fphone', hash: '#password'}), '/phone')
})

test('a part that runs and does not understand all of it is neither up nor down', () => {
  const bridge = {name: 'erp bridge', up: true, detail: {left_out: 2, degraded: {zh: 'ERP 有 2 条记录读不出来', en: '2 records'}}}
  assert.deepEqual([bridge, {up: true}, {up: false, detail: bridge.detail}].map(upWord), ['degraded', 'up', 'down'])
  assert.ok(!isWell(bridge))
  assert.equal(detailText(bridge.detail, key => key), 'left_out 2')
})
