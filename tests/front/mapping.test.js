import assert from 'node:assert/strict'
import {test} from 'node:test'
import {given, shown, asBefore, differences, matching, probeWords, rowsOf, tablesOf, toSave, withRow, withValue, withVariants, withoutRow} from '../../screens/static/lib/mapping.js'

const OWN = {write: {F_Key: 'key', F_Note: 'note'}, read: {}, tables: {levels: {1: 'low', 4: 'high'}}}
const origins = (own, site, layered) => rowsOf(own, site, 'write', layered).map(row => `${row.key}:${row.origin}`)

test('a row that the site adds stands first, and is gone without a trace when it is deleted', () => {
  const site = withRow(OWN, {}, 'write', 'F_Shift', "'A'")
  assert.deepEqual(site, {write: {F_Shift: "'A'"}})
  assert.deepEqual(origins(OWN, site), ['F_Shift:site', 'F_Key:own', 'F_Note:own'])
  assert.deepEqual(withoutRow(OWN, site, 'write', 'F_Shift'), {})
})

test("the connector's own row is changed, taken out and put back", () => {
  const changed = withRow(OWN, {}, 'write', 'F_Note', 'cause')
  assert.deepEqual(origins(OWN, changed), ['F_Key:own', 'F_Note:changed'])
  assert.deepEqual(withRow(OWN, changed, 'write', 'F_Note', 'note'), {}, 'as it was is not said again')
  const gone = withoutRow(OWN, {}, 'write', 'F_Note')
  assert.deepEqual(gone, {write: {F_Note: ''}})
  assert.deepEqual(origins(OWN, gone), ['F_Key:own', 'F_Note:gone'])
  assert.deepEqual(asBefore(gone, 'write', 'F_Note'), {})
})

test('where a side stands instead of ours, the first change takes all of ours along', () => {
  const site = withRow(OWN, {}, 'write', 'F_Shift', 'x', false)
  assert.deepEqual(site.write, {F_Key: 'key', F_Note: 'note', F_Shift: 'x'})
  assert.deepEqual(withoutRow(OWN, site, 'write', 'F_Note', false).write, {F_Key: 'key', F_Shift: 'x'})
})

test('value tables keep to what the site says differently', () => {
  const site = withValue(OWN, {}, 'levels', '4', '紧急')
  assert.deepEqual(site, {tables: {levels: {4: '紧急'}}})
  assert.deepEqual(tablesOf(OWN, site).levels.map(row => [row.ours, row.theirs, row.own]), [['1', 'low', true], ['4', '紧急', false]])
  assert.deepEqual(withValue(OWN, site, 'levels', '4', undefined), {})
})

test('what will change is told row by row, and only that is saved', () => {
  const file = {ticket: {write: {A: 'x'}}, order: {}}
  const draft = {ticket: {write: {A: 'y'}}, order: {}, report: {}}
  assert.deepEqual(differences(file, draft), [{place: 'ticket › write › A', before: 'x', after: 'y'}])
  assert.deepEqual(toSave(file, draft), {ticket: {write: {A: 'y'}}})
  assert.deepEqual(toSave({ticket: {write: {A: 'x'}}}, {}), {ticket: {}}, 'what the file says and the draft does not')
})

test('an empty list of variants is no list', () => {
  assert.deepEqual(withVariants({variants: [{when: 'x'}], form: 'F'}, []), {form: 'F'})
})

test('a field is found by any of its words', () => {
  const items = [{value: 'F_AH_Note', title: '备注'}, {value: 'F_Shift', title: '班次', hint: 'text'}, {value: 'FNote', title: 'Shift note'}]
  assert.deepEqual(matching(items, 'shift').map(i => i.value), ['FNote', 'F_Shift'])
  assert.deepEqual(matching(items, '班').map(i => i.value), ['F_Shift'])
  assert.equal(matching(items, '').length, 3)
})

test('an empty text is told apart from nothing: it empties the ERP\'s field', () => {
  const t = key => key
  assert.deepEqual([null, '', 0, 'A'].map(value => given(value, 'write', t)), ['mapping.left-out', 'mapping.empty-text', '0', 'A'])
  assert.equal(given('', 'read', t), shown(''))
})

test('what a look at the ERP has found is told in the words of the page', () => {
  const told = said => Object.values(probeWords(said)?.values ?? {}).join('|')
  assert.deepEqual(probeWords('PRD_MO: 15 fields'), {key: 'mapping.probe.fields', values: {form: 'PRD_MO', n: '15'}})
  assert.equal(probeWords('PRD_MO: 15 fields, without F_A, F_B').key, 'mapping.probe.without')
  assert.equal(told('✗ AH_EquipRepair has no F_AH_Shift, F_X; see documents.ticket'), 'AH_EquipRepair|F_AH_Shift, F_X')
  assert.equal(told('✗ PRD_MO: 会话信息已丢失'), 'PRD_MO: 会话信息已丢失')
  assert.equal(probeWords('no interface for repairs'), null)
})
