import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {changes, headline, mayConfirm, standing, unconfirmed, urgency} from '../../screens/static/lib/change.js'
import {difference, overlaid} from '../../screens/static/lib/difference.js'
import {addressOf, asked, bridgeState, documentAsked, documentWord, fieldAsked, fieldWord, kindWord, mapAsked, mapOf, mendedAt, standingText, tally, valueWord, waitingText, whyNot} from '../../screens/static/lib/erp.js'
import {orders} from '../../screens/static/lib/board.js'

const ZH = JSON.parse(readFileSync(new URL('../../screens/static/i18n/zh-CN.json', import.meta.url)))
const t = (key, values = {}) => (ZH[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole))
const when = iso => `@${iso.slice(11, 16)}`
const order = (number, changed, more = {}) => ({number, due_at: '2026-01-05T12:00:00Z', ...more,
  ...(changed && {change: {id: 1, at: '2026-01-05T12:00:00+00:00', escalated: false, changed, ...more.change}})})

test('a change says what was and what is, the weightiest first', () => {
  const found = changes(order('A', {priority: {before: 5, after: 1}, due_at: {before: '2026-01-05T12:00:00Z', after: '2026-01-06T09:30:00Z'},
    quantity: {before: 1200, after: 80}, operations: {before: ['10×100', '20×100'], after: ['10×80']}, rush: {before: false, after: true}}), t, when)
  assert.deepEqual(found.map(row => row.text), ['数量 1,200→80', '工序 10×100、20×100→10×80', '交期 @12:00→@09:30', '改为加急', '优先级 5→1'])
})

test('a state is told by its outcome, in every language', () => {
  for (const [after, text] of [['cancelled', '已取消'], ['held', '已暂停'], ['released', '恢复生产']]) {
    assert.equal(headline(order('A', {state: {before: 'released', after}}), t, when), text)
  }
  assert.equal(headline(order('A', {quantity: {before: 1, after: 2}, state: {before: 'released', after: 'cancelled'}}), t, when), '已取消 +1 项')
  assert.equal(changes(order('A', {rush: {before: true, after: false}}), t, when)[0].text, '取消加急')
  assert.equal(changes(order('A', {product: {before: '', after: 'B'}}), t, when)[0].text, '产品 —→B')
})

test('an order without a change or a special state is as it always was', () => {
  assert.deepEqual([urgency(order('A')), standing(order('A')), headline(order('A'), t, when)], ['', '', ''])
  assert.deepEqual(['held', 'cancelled', 'completed', 'released', undefined].map(state => standing({state})), ['held', 'cancelled', 'completed', '', ''])
})

test('what nobody has confirmed in time comes first, then the oldest; so it does on the wall', () => {
  const change = (at, escalated) => ({change: {at: `2026-01-05T12:${at}:00+00:00`, escalated}})
  const board = {orders: {A: order('A'), B: order('B', {}, change('30', false)), C: order('C', {}, change('10', false)), D: order('D', {}, change('20', true)),
    E: order('E', null, {late_by: 900})}}
  assert.deepEqual(unconfirmed(board).map(o => o.number), ['D', 'C', 'B'])
  assert.equal(urgency(board.orders.D), 'late')
  assert.deepEqual(orders(board).map(o => o.number).slice(0, 4), ['D', 'B', 'C', 'E'])
  assert.deepEqual(unconfirmed(null), [])
})

test('operator and technician may say that it was seen, planner and sales may not', () => {
  assert.ok(mayConfirm({roles: ['operator']}) && mayConfirm({roles: ['technician']}))
  assert.ok(!mayConfirm({roles: ['planner', 'sales', 'viewer']}) && !mayConfirm(null))
})

test('a message shows what it has changed, and only that', () => {
  const {rows, same} = difference({quantity: 100, title: {zh: '油', en: 'Oil'}, operations: ['10'], note: 'x', empty: null},
    {quantity: 80, title: {zh: '油', en: 'Hot'}, operations: ['10'], state: 'held', note: null, empty: ''})
  assert.deepEqual(rows, [{name: 'quantity', before: '100', after: '80', kind: 'changed'}, {name: 'title.en', before: 'Oil', after: 'Hot', kind: 'changed'},
    {name: 'note', before: 'x', after: '', kind: 'gone'}, {name: 'state', before: '', after: 'held', kind: 'added'}])
  assert.deepEqual(same.map(row => row.name), ['title.zh', 'operations'])
})

test('a document nobody knew before is all new; false and nought are values', () => {
  assert.deepEqual(difference(null, {good: 0, rush: false}).rows.map(row => [row.after, row.kind]), [['0', 'added'], ['false', 'added']])
  assert.deepEqual(difference(null, null), {rows: [], same: []})
})

test('a fresh first page keeps what was scrolled to, a short one is all there is', () => {
  const ids = rows => rows.map(row => row.id)
  const of = (...numbers) => numbers.map(id => ({id}))
  assert.deepEqual(ids(overlaid(of(9, 8, 7), of(8, 7, 6, 5), 7)), [9, 8, 7, 6, 5])
  assert.deepEqual(ids(overlaid(of(9, 8), of(8, 7, 6), null)), [9, 8])
  assert.deepEqual(ids(overlaid([], of(3), null)), [])
  assert.deepEqual(ids(overlaid([], of(9, 3), 5)), [3], 'what was cut out of a look is no end')
})

test('the address says which part, or what to look for', () => {
  assert.deepEqual(asked('#erp'), {part: 'letters', document: ''})
  assert.deepEqual(asked('#erp=under-way'), {part: 'under-way', document: ''})
  assert.deepEqual(asked('#erp=AH-20260105-0007'), {part: 'ledger', document: 'AH-20260105-0007'})
  assert.deepEqual(asked(addressOf('MO/1 & 2=3')), {part: 'ledger', document: 'MO/1 & 2=3'})
})

test('the bridge is up, away, stopped or not asked yet', () => {
  assert.deepEqual([{running: true, up: true}, {running: true, up: false, last_error: 'x'}, {running: false, up: false}, {running: true, up: false}].map(bridgeState),
    ['up', 'away', 'stopped', 'quiet'])
  assert.equal(waitingText({waiting: {'open-ticket': 1, 'report-operation': 14, 'new-kind': 2}}, t), '派单 1 · 报工 14 · new-kind 2')
})

test('several letters at once: done, already under way, and what failed with its first reason', () => {
  const failed = {error: {code: 'x', text: {zh: '无权'}}}
  assert.deepEqual(tally([{ok: true}, {error: {code: 'not-dead'}}, failed, {ok: true}]), {done: 2, late: 1, failed: 1, why: failed.error})
  assert.deepEqual(tally([]), {done: 0, late: 0, failed: 0, why: null})
})

test('words of the bridge, and those that we have none for', () => {
  assert.deepEqual([kindWord('post receipt', t), kindWord('unheard of', t), fieldWord('quantity', t), fieldWord('title.zh', t)], ['入库', 'unheard of', '数量', 'title.zh'])
  assert.deepEqual(['report:R-1', 'order:MO:1', 'AH-20260105-0001'].map(documentWord), ['R-1', 'MO:1', 'AH-20260105-0001'])
  assert.deepEqual([valueWord('state', 'repairing', t, when), valueWord('state', 'held', t, when), valueWord('state', 'odd', t, when), valueWord('at', '2026-01-05T12:30:00Z', t, when)],
    ['维修中', '已暂停', 'odd', '@12:30'])
})

test('how a ticket stands in the ERP: delivered, waiting since when and why, refused in its words', () => {
  const say = erp => standingText(erp, {t, ago: iso => `${iso} ago`, at: iso => iso})
  assert.deepEqual(say({state: 'sent', subject: 'open-ticket', at: 'T'}), {text: '派单 已送达（T）', bad: false})
  assert.deepEqual(say({state: 'waiting', subject: 'update-ticket', since: 'T', reason: 'no answer'}), {text: '维修进度 等待发送，已 T ago · no answer', bad: false})
  assert.deepEqual(say({state: 'refused', subject: 'close-ticket', reason: '单据已锁定'}), {text: 'ERP 拒绝（关单）：单据已锁定', bad: true})
  assert.deepEqual([say({state: 'sent'}).text, say({state: 'none'}).text, say(undefined).text], ['ERP 已有此单', '尚未写入 ERP', ''])
})

test('a book that was not compared says how many records nobody can read, and the first', () => {
  assert.equal(whyNot('left-out 3 order MO-1: documents.order.read: no date', t), '3 条记录读不出来，第一条：order MO-1: documents.order.read: no date')
  assert.equal(whyNot('erp-cannot', t), '此 ERP 不提供')
  assert.equal(whyNot('no right to read orders', t), 'no right to read orders')
})

test('an unreadable record leads to the map of its document', () => {
  assert.equal(mapAsked(mapOf('sales_order')), 'sales_order')
  assert.equal(mapAsked('#mapping'), '')
  assert.equal(mapAsked(mapOf('step,ticket', 'F_AH_X')), 'step,ticket')
  assert.equal(fieldAsked(mapOf('step,ticket', 'F_AH_X[].a')), 'F_AH_X[].a')
  assert.equal(fieldAsked('#mapping=ticket'), '')
})

test('a refusal that a map can mend leads to the document by name or meaning', () => {
  assert.equal(mendedAt({cause: 'mapping', mapping: {document: '', about: ['step', 'ticket'], field: 'F_AH_X'}}), mapOf('step,ticket', 'F_AH_X'))
  assert.equal(mendedAt({cause: 'missing', mapping: {document: '', about: ['report'], field: ''}}), mapOf('report'))
  assert.equal(mendedAt({cause: 'period', mapping: {document: '', about: ['report'], field: ''}}), '')
  assert.equal(mendedAt({}), '')
  assert.equal(documentAsked('step,ticket', ['order', 'ticket']), 'ticket')
  assert.equal(documentAsked('step,ticket', ['order', 'repair'], {repair: 'ticket'}), 'repair')
  assert.equal(documentAsked('', ['order']), '')
})
