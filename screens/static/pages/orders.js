import {orders} from '../lib/board.js'
import {h, mark} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {mayConfirm} from '../lib/change.js'
import {changesOf} from './changes.js'
import {orderColumns, rushColumns} from './columns.js'
import {parametersOf} from './parameters.js'
import {rushOf} from './rush.js'
import {mayShare, shareOf} from './share.js'
import {zoneOf} from './start.js'
import '../elements/change-card.js'

const TAPS_EVERY = 5 // seconds between looks at the taps
const NARROW = matchMedia('(max-width: 700px)') // where what a rush would do stands over the list, not below it

/** The console's orders: the table, beside it what a rush of the chosen one would do, below it the last taps and their receipts. */
export function ordersPage({api, store, person, orSay}) {
  const [table, taps, trouble, hint, sheet] = [h('andon-table', {testid: 'orders'}), h('andon-table', {testid: 'rushes'}), h('div'),
    h('p.table-empty', t('rush.pick')), h('andon-rush', {hidden: true})]
  const changed = h('andon-changes', {hidden: true})
  const back = h('button.quiet.beside-back', {type: 'button', testid: 'rush-back'}, t('rush.back'))
  const confirming = changesOf({api, changed: () => drawChanges()})
  const zone = zoneOf(store)
  const parameters = parametersOf({api, store, orSay})
  const rush = rushOf({api, person, now: () => store.now(), changed: draw})
  const [share, links] = [shareOf({api, changed: draw}), h('andon-share', {hidden: true})]
  const beside = h('section.beside.rush-beside', h('h2', t('rush.title')), back, hint, sheet, links)
  links.addEventListener('share', share.share)
  links.addEventListener('revoke', event => share.revoke(event.detail))
  table.setup({columns: orderColumns(zone), keyOf: o => o.number, testidOf: o => `order-${o.number}`, file: 'order'})
  taps.setup({columns: rushColumns(zone), keyOf: r => r.id, testidOf: r => `tap-${r.id}`, file: 'rush'})
  table.addEventListener('choose', event => choose(event.detail.number))
  taps.addEventListener('choose', event => choose(event.detail.order))
  sheet.addEventListener('rush', event => rush.rush(event.detail).then(askTaps))
  sheet.addEventListener('due', event => rush.foresee(event.detail))
  sheet.addEventListener('undo', () => rush.undo().then(askTaps))

  changed.addEventListener('confirm', event => confirming.confirm(event.detail))

  const drawChanges = () => changed.show({orders: confirming.waiting(store.board), allowed: mayConfirm(person), state: confirming.state, now: store.now(), zone})

  function choose(number) {
    rush.open(number)
    parameters.open(number)
    if (mayShare(person)) share.open(number)
    mark(beside, 'open', 'yes')
    draw()
    if (NARROW.matches) back.focus()
    else sheet.scrollIntoView({block: 'nearest'})
  }
  back.onclick = () => mark(beside, 'open', '')

  function draw() {
    const {number, answer, busy, trouble: said, due, foreseen} = rush.state
    const order = answer?.order ?? store.board?.orders?.[number]
    hint.hidden = Boolean(order)
    sheet.hidden = !order
    if (order) sheet.show({order, answer, person, now: store.now(), zone, due, foreseen, busy, trouble: said})
    links.hidden = !order || !mayShare(person)
    if (!links.hidden) links.show({...share.state, zone})
  }

  const askTaps = () => orSay(trouble, async () => (taps.rows = (await api.get('/api/rushes?limit=50')).rushes))
  const element = h('div.side-by-side', h('div', trouble, changed, table, parameters.element, h('section.history', h('h2', t('rush.taps')), taps)),
    beside)
  return {element, tick(second) {
    table.rows = orders(store.board)
    if (second % TAPS_EVERY === 0) askTaps()
    if (second) rush.tick()
    draw()
    drawChanges()
  }}
}
