import {orders} from '../lib/board.js'
import {h} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {orderColumns, rushColumns} from './columns.js'
import {rushOf} from './rush.js'
import {zoneOf} from './start.js'

const TAPS_EVERY = 5 // seconds between looks at the taps

/** The console's orders: the table, beside it what a rush of the chosen one would do, below it the last taps and their receipts. */
export function ordersPage({api, store, person, orSay}) {
  const [table, taps, trouble, hint, sheet] = [h('andon-table', {testid: 'orders'}), h('andon-table', {testid: 'rushes'}), h('div'),
    h('p.table-empty', t('rush.pick')), h('andon-rush', {hidden: true})]
  const zone = zoneOf(store)
  const rush = rushOf({api, person, now: () => store.now(), changed: draw})
  table.setup({columns: orderColumns(zone), keyOf: o => o.number, testidOf: o => `order-${o.number}`, file: 'order'})
  taps.setup({columns: rushColumns(zone), keyOf: r => r.id, testidOf: r => `tap-${r.id}`, file: 'rush'})
  table.addEventListener('choose', event => choose(event.detail.number))
  taps.addEventListener('choose', event => choose(event.detail.order))
  sheet.addEventListener('rush', event => rush.rush(event.detail).then(askTaps))
  sheet.addEventListener('undo', () => rush.undo().then(askTaps))

  function choose(number) {
    rush.open(number)
    draw()
    sheet.scrollIntoView({block: 'nearest'})
  }

  function draw() {
    const {number, answer, busy, trouble: said} = rush.state
    const order = answer?.order ?? store.board?.orders?.[number]
    hint.hidden = Boolean(order)
    sheet.hidden = !order
    if (order) sheet.show({order, answer, person, now: store.now(), zone, busy, trouble: said})
  }

  const askTaps = () => orSay(trouble, async () => (taps.rows = (await api.get('/api/rushes?limit=50')).rushes))
  const element = h('div.side-by-side', h('div', trouble, table, h('section.history', h('h2', t('rush.taps')), taps)),
    h('section.beside', h('h2', t('rush.title')), hint, sheet))
  return {element, tick(second) {
    table.rows = orders(store.board)
    if (second % TAPS_EVERY === 0) askTaps()
    if (second) rush.tick()
    draw()
  }}
}
