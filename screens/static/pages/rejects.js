/** The console's MES page: records that could not be taken, with the reason, to be taken once more or put aside, one or many; what waits for its order. */
import {h, mark, put} from '../lib/dom.js'
import {dayClock, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {zoneOf} from './start.js'
import '../elements/data-table.js'
import '../elements/reject-piles.js'
import {typeWord} from '../elements/reject-card.js'

const EVERY = 5 // seconds
const PAGE = 200
const STATES = ['waiting', 'replayed', 'aside']
const FATES = ['taken', 'repeat', 'rejected', 'gone', 'aside']
const KINDS = ['order', 'report', 'posting', 'labour', 'quality', 'material', 'stock', 'file']

export function rejectsPage({api, store, orSay}) {
  const [table, trouble, none, card, piles] = [h('andon-table', {testid: 'rejects'}), h('div'), h('p.table-empty'), h('andon-reject', {hidden: true}), h('andon-reject-piles')]
  const hint = h('p.hint', {testid: 'reject-hint'}, t('reject.hint'))
  const unbound = h('andon-table', {testid: 'unbound'})
  const waitsForOrder = h('section', {hidden: true, testid: 'unbound-section'}, h('h2', t('unbound.heading')), h('p.hint', t('unbound.hint')), unbound)
  const choice = (name, options) => h('select', {name, ariaLabel: t(`reject.${name}`), testid: `reject-${name}`, onchange: () => anew()}, ...options)
  const [state, source, kind] = [choice('state', STATES.map(value => h('option', {value}, t(`reject.state.${value}`)))),
    choice('source', [h('option', {value: ''}, t('reject.every-source'))]), choice('kind', [h('option', {value: ''}, t('reject.every-kind')), ...KINDS.map(value => h('option', {value}, typeWord(value)))])]
  const words = h('input', {type: 'search', placeholder: t('reject.search'), ariaLabel: t('reject.search'), maxLength: 200, testid: 'reject-search', oninput: () => (soon = 1)})
  let [chosen, told, soon, first, older, count] = [null, '', 0, [], [], 0]
  table.setup({columns: columns(() => zoneOf(store)), keyOf: r => r.id, testidOf: r => `reject-${r.id}`, file: 'mes-rejects', pick: true})
  unbound.setup({columns: unboundColumns(() => zoneOf(store)), keyOf: u => `${u.order} ${u.operation}`, file: 'mes-unbound'})

  const wanted = () => ({source: source.value, kind: kind.value, text: words.value.trim()})
  const asked = before => api.get(`/api/mes/rejects?${new URLSearchParams({state: state.value, ...wanted(), limit: PAGE, before})}`)
  const render = () => {
    const rows = [...first, ...older.filter(r => r.id < (first.at(-1)?.id ?? Infinity))]
    table.rows = rows
    table.hidden = hint.hidden = !rows.length
    put(none, rows.length ? '' : t('reject.none'))
    piles.show({shown: rows.length, count, picked: table.picked.length, waiting: state.value === 'waiting'})
    draw(chosen && (rows.find(r => r.id === chosen.id) ?? chosen))
  }
  const ask = () => orSay(trouble, async () => {
    const found = await asked(0)
    ;[first, count] = [found.rejects, found.count]
    offer(source, found.waiting)
    render()
    const lost = await api.get('/api/mes/unbound')
    unbound.rows = lost.unbound
    waitsForOrder.hidden = !lost.unbound.length
  })
  const anew = () => {
    older = []
    table.picked = []
    ask()
  }
  const draw = reject => {
    chosen = reject
    card.hidden = !chosen
    mark(both, 'open', chosen ? 'yes' : '')
    if (chosen) card.show({reject: chosen, zone: zoneOf(store), told})
  }
  const send = (verb, body) => orSay(trouble, async () => {
    const answer = await api.post(`/api/mes/rejects/${chosen.id}/${verb}`, body)
    told = answer.result?.result === 'rejected' ? t('reject.again') : ''
    draw(answer.reject)
  })
  /** Those that were picked, or page by page all that match. */
  const sendMany = (verb, body) => orSay(trouble, async () => {
    const [sums, ids] = [{}, [...table.picked]]
    for (let before = 0; ;) {
      const part = ids.splice(0, PAGE)
      const answer = await api.post(`/api/mes/rejects/${verb}`, part.length ? {ids: part, ...body} : {...wanted(), before, ...body})
      for (const [fate, n] of Object.entries(answer.counts)) sums[fate] = (sums[fate] ?? 0) + n
      before = answer.last
      if (part.length ? !ids.length : !before) break
    }
    piles.tell(FATES.filter(fate => sums[fate]).map(fate => t(`reject.many.${fate}`, {n: sums[fate]})).join(' · ') || t('reject.none'))
    draw(null)
    anew()
  })
  const path = verb => `/api/mes/rejects/${chosen.id}/${verb}`
  card.addEventListener('draft', () => orSay(trouble, async () => card.correction.edit((await api.get(path('draft'))).event)))
  card.addEventListener('check', event => orSay(trouble, async () => card.correction.tell(await api.post(path('check'), {event: event.detail}))))
  card.addEventListener('correct', event => orSay(trouble, async () => {
    const answer = await api.post(path('correct'), {event: event.detail})
    if (answer.result.result === 'rejected') return card.correction.tell(answer)
    told = ''
    draw(answer.reject)
  }))
  card.addEventListener('replay', () => send('replay'))
  card.addEventListener('aside', event => send('aside', {reason: event.detail}))
  card.addEventListener('shut', () => draw(null))
  piles.addEventListener('replay', () => sendMany('replay', {}))
  piles.addEventListener('aside', event => sendMany('aside', {reason: event.detail}))
  piles.addEventListener('more', () => orSay(trouble, async () => {
    older = [...older, ...(await asked((older.at(-1) ?? first.at(-1)).id)).rejects]
    render()
  }))
  table.addEventListener('pick', () => render())
  table.addEventListener('choose', ({detail}) => {
    told = ''
    draw(detail)
    card.scrollIntoView({block: 'nearest'})
  })
  const both = h('div.rejects-pair', h('div', none, hint, table), card)
  const head = h('div.rejects-head', h('h2', t('reject.heading')), state, source, kind, words)
  const tick = second => {
    if (soon && second >= soon) {
      soon = soon === 1 ? second + 1 : 0
      if (!soon) anew()
    } else if (second % EVERY === 0) ask()
  }
  return {element: h('div', head, piles, trouble, both, waitsForOrder), tick}
}

/** Every source of which something waits; the one that was chosen stays. */
function offer(select, waiting) {
  const names = [...new Set([...Object.keys(waiting), select.value].filter(Boolean))].sort()
  const word = name => (waiting[name] ? `${name} (${number(waiting[name])})` : name)
  if (names.map(word).join('\n') === select.told) return
  select.told = names.map(word).join('\n')
  const now = select.value
  select.replaceChildren(select.firstChild, ...names.map(value => h('option', {value, selected: value === now}, word(value))))
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

function unboundColumns(zone) {
  return [
    {key: 'order', title: t('unbound.order'), text: u => u.order},
    {key: 'operation', title: t('unbound.operation'), text: u => u.operation || '—'},
    {key: 'why', title: t('column.reason'), text: u => t(u.order_known ? 'unbound.no-operation' : 'unbound.no-order')},
    {key: 'reports', title: t('unbound.reports'), text: u => number(u.reports), sort: u => u.reports},
    {key: 'good', title: t('unbound.good'), text: u => number(u.good), sort: u => u.good},
    {key: 'scrap', title: t('unbound.scrap'), text: u => number(u.scrap), sort: u => u.scrap},
    {key: 'postings', title: t('unbound.postings'), text: u => number(u.postings), sort: u => u.postings},
    {key: 'sources', title: t('reject.source'), text: u => u.sources.join(', ') || '—'},
    {key: 'last', title: t('column.at'), text: u => (u.last_at ? dayClock(u.last_at, zone()) : '—'), sort: u => u.last_at},
  ]
}
