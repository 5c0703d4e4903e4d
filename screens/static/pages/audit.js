/** The console's audit trail: who did what, and what became of data, the newest first. For administrators. */
import {aboutText, detailOf, whatText, whoText} from '../lib/audit.js'
import {h} from '../lib/dom.js'
import {fullClock, dayClock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {zoneOf} from './start.js'
import '../elements/data-table.js'

const PAGE = 200

export function auditPage({api, store, orSay}) {
  const zone = zoneOf(store)
  const [table, trouble, more] = [h('andon-table', {testid: 'audit'}), h('div'), h('button.quiet', {type: 'button', testid: 'audit-more', hidden: true}, t('audit.more'))]
  let rows = []
  table.setup({file: 'audit', keyOf: line => line.id, testidOf: line => `audit-${line.id}`, columns: [
    {key: 'at', title: t('audit.column.at'), text: line => `${dayClock(line.at, zone).slice(0, 5)} ${fullClock(line.at, zone)}`, sort: line => line.id},
    {key: 'who', title: t('audit.column.who'), text: line => whoText(line, t, say)},
    {key: 'what', title: t('audit.column.what'), text: line => whatText(line, t)},
    {key: 'about', title: t('audit.column.about'), text: line => aboutText(line, t)},
    {key: 'detail', title: t('audit.column.detail'), text: line => detailOf(line, t, iso => dayClock(iso, zone)) || '—'},
  ]})
  const ask = before => orSay(trouble, async () => {
    const {lines} = await api.get(`/api/audit?limit=${PAGE}${before ? `&before=${before}` : ''}`)
    rows = before ? [...rows, ...lines] : lines
    table.rows = rows
    more.hidden = lines.length < PAGE
  })
  more.onclick = () => ask(rows.at(-1)?.id)
  ask()
  return {element: h('div', h('h2', t('audit.heading')), trouble, table, more)}
}
