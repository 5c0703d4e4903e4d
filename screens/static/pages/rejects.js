/** The console's MES page: records that could not be taken, with the reason; taken once more, or put aside. */
import {h, put} from '../lib/dom.js'
import {dayClock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {zoneOf} from './start.js'
import '../elements/data-table.js'
import {typeWord} from '../elements/reject-card.js'

const EVERY = 5 // seconds
const STATES = ['waiting', 'replayed', 'aside']

export function rejectsPage({api, store, orSay}) {
  const [table, trouble, none, card] = [h('andon-table', {testid: 'rejects'}), h('div'), h('p.table-empty'), h('andon-reject', {hidden: true})]
  const state = h('select', {ariaLabel: t('column.state'), testid: 'reject-state', onchange: () => ask()}, ...STATES.map(value => h('option', {value}, t(`reject.state.${value}`))))
  let [chosen, told] = [null, '']
  table.setup({columns: columns(() => zoneOf(store)), keyOf: r => r.id, testidOf: r => `reject-${r.id}`, file: 'mes-rejects'})

  const ask = () => orSay(trouble, async () => {
    const found = await api.get(`/api/mes/rejects?state=${state.value}&limit=200`)
    table.rows = found.rejects
    table.hidden = !found.rejects.length
    put(none, found.rejects.length ? '' : t('reject.none'))
    draw(chosen && (found.rejects.find(r => r.id === chosen.id) ?? chosen))
  })
  const draw = reject => {
    chosen = reject
    card.hidden = !chosen
    if (chosen) card.show({reject: chosen, zone: zoneOf(store), told})
  }
  const send = (verb, body) => orSay(trouble, async () => {
    const answer = await api.post(`/api/mes/rejects/${chosen.id}/${verb}`, body)
    told = answer.result?.result === 'rejected' ? t('reject.again') : ''
    draw(answer.reject)
  })
  table.addEventListener('choose', ({detail}) => {
    told = ''
    draw(detail)
    card.scrollIntoView({block: 'nearest'})
  })
  card.addEventListener('replay', () => send('replay'))
  card.addEventListener('aside', event => send('aside', {reason: event.detail}))
  const head = h('div.reconcile-head', h('h2', t('reject.heading')), state)
  return {element: h('div', head, trouble, none, table, card), tick: second => second % EVERY === 0 && ask()}
}

function columns(zone) {
  return [
    {key: 'at', title: t('column.at'), text: r => dayClock(r.last_at, zone()), sort: r => r.last_at},
    {key: 'source', title: t('reject.source'), text: r => r.source},
    {key: 'type', title: t('reject.type'), text: r => typeWord(r.type)},
    {key: 'event', title: t('reject.event'), text: r => r.event || '—'},
    {key: 'why', title: t('column.reason'), text: r => say(r.reason)},
    {key: 'times', title: t('column.count'), text: r => String(r.times), sort: r => r.times},
  ]
}
