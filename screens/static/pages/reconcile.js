/** The console's reconciliation: where our books and the ERP's disagree, whose it is, and what to do about it. */
import {h, mark, put} from '../lib/dom.js'
import {whyNot} from '../lib/erp.js'
import {age, dayClock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {zoneOf} from './start.js'
import '../elements/data-table.js'
import {ownerOf, repairLine, valueOf} from '../elements/discrepancy-card.js'

const EVERY = 3 // seconds

export function reconcilePage({api, store, orSay, may}) {
  const [table, trouble, none] = [h('andon-table', {testid: 'discrepancies'}), h('div'), h('p.table-empty')]
  const [card, run, left] = [h('andon-discrepancy', {hidden: true}), h('p', {testid: 'reconcile-run'}), h('p.table-empty', {testid: 'not-compared'})]
  const now = h('button.button', {type: 'button', testid: 'reconcile-now', hidden: !may('planner', 'technician', 'manager', 'admin')}, t('reconcile.now'))
  let chosen = null
  table.setup({columns: columns(() => zoneOf(store), () => store.now()), keyOf: d => d.id, testidOf: d => `discrepancy-${d.id}`, file: 'reconciliation'})

  const ask = () => orSay(trouble, async () => {
    const found = await api.get('/api/reconciliation')
    table.rows = found.discrepancies
    table.hidden = !found.discrepancies.length
    put(none, found.discrepancies.length || !found.run || found.run.trouble ? '' : t('reconcile.none'))
    put(run, found.waiting ? t('reconcile.running') : runLine(found.run, zoneOf(store)))
    mark(run, 'bad', found.run?.trouble ? 'yes' : '')
    put(left, notCompared(found.run))
    now.disabled = found.waiting
    chosen = chosen && found.discrepancies.find(d => d.id === chosen.id)
    draw()
  })
  const draw = () => {
    card.hidden = !chosen
    if (chosen) card.show({found: chosen, now: store.now(), zone: zoneOf(store)})
  }
  const send = (verb, body) => orSay(trouble, async () => {
    chosen = (await api.post(`/api/reconciliation/${chosen.id}/${verb}`, body)).discrepancy
    draw()
  })
  table.addEventListener('choose', ({detail}) => {
    chosen = detail
    draw()
    card.scrollIntoView({block: 'nearest'})
  })
  card.addEventListener('mend', () => send('repair'))
  card.addEventListener('aside', event => send('aside', {reason: event.detail}))
  card.addEventListener('back', () => send('back'))
  now.onclick = () => orSay(trouble, async () => {
    await api.post('/api/reconciliation/run')
    await ask()
  })
  const head = h('div.reconcile-head', h('h2', t('reconcile.heading')), run, now)
  return {element: h('div', head, trouble, none, left, table, card), tick: second => second % EVERY === 0 && ask()}
}

function columns(zone, now) {
  return [
    {key: 'subject', title: t('column.subject'), text: d => d.subject},
    {key: 'kind', title: t('column.title'), text: d => say(d.title)},
    {key: 'ours', title: t('column.ours'), text: d => valueOf(d.ours, zone())},
    {key: 'theirs', title: t('column.theirs'), text: d => valueOf(d.theirs, zone())},
    {key: 'first', title: t('column.first'), text: d => (d.first ? `${d.first.id} · ${dayClock(d.first.at, zone())}` : d.part ?? '—')},
    {key: 'age', title: t('column.age'), text: d => age((now() - Date.parse(d.first_seen)) / 1000, t), sort: d => d.first_seen},
    {key: 'owner', title: t('column.owner'), text: ownerOf},
    {key: 'repair', title: t('column.repair'), text: d => (d.aside ? `${t('reconcile.aside')}: ${d.aside.reason}` : repairLine(d, zone()) || say(d.repair_title))},
  ]
}

function runLine(run, zone) {
  if (!run) return t('reconcile.never')
  if (run.trouble) return t('reconcile.trouble', {at: dayClock(run.ended_at, zone), why: run.trouble})
  const looked = Object.entries(run.compared).map(([name, n]) => `${t(`reconcile.of.${name}`)} ${n}`).join(' · ')
  return t('reconcile.ran', {at: dayClock(run.ended_at, zone), looked})
}

/** What nobody can tell is said to be not compared: never to be equal. */
function notCompared(run) {
  const names = Object.entries(run?.not_compared ?? {}).map(([name, why]) => `${t(`reconcile.of.${name}`)} (${whyNot(why, t)})`)
  return names.length ? t('reconcile.not-compared', {what: names.join(t('reconcile.and'))}) : ''
}
