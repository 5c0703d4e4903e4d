/** The console's ERP page: how the bridge is, what the ERP has refused, what is under way, and every message that passed. */
import {overlaid} from '../lib/difference.js'
import {addressOf, asked, tally} from '../lib/erp.js'
import {h} from '../lib/dom.js'
import {say, t} from '../lib/i18n.js'
import {zoneOf} from './start.js'
import '../elements/bridge-board.js'
import '../elements/exchange-list.js'
import '../elements/letter-list.js'

const EVERY = 3 // seconds between looks
const PAGE = 50
const MOST = 500 // rows that one look brings

export function erpPage({api, store, orSay, maps = false, hash = location.hash}) {
  const wish = asked(hash)
  const part = {letters: lettersPart, 'under-way': underWayPart, ledger: ledgerPart}[wish.part]({api, store, orSay, wish, maps})
  const [bridge, trouble] = [h('andon-bridge'), h('div')]
  const tabs = h('nav.parts', ...['letters', 'under-way', 'ledger'].map(name =>
    h('a', {href: addressOf(name), ariaCurrent: name === wish.part ? 'page' : 'false', testid: `erp-${name}`}, t(`erp.part.${name}`))))
  const ask = () => orSay(trouble, async () => {
    bridge.show(await api.get('/api/erp/health'), zoneOf(store))
    await part.ask()
  })
  return {element: h('div', trouble, bridge, tabs, part.element), tick: second => second % EVERY === 0 && ask()}
}

/** Rows that fall by id, a page at first and the next one when its end comes into sight. */
function pages({get, draw, orSay}) {
  const [end, trouble] = [h('p.pages-end'), h('div')]
  let [rows, next, busy] = [[], 0, false] // `next`: the id to go on behind; null at the end
  const seen = new IntersectionObserver(entries => entries.some(e => e.isIntersecting) && further())
  seen.observe(end)

  async function look() {
    const fresh = await get({limit: Math.min(MOST, Math.max(PAGE, rows.length))})
    rows = overlaid(fresh.rows, rows, fresh.next)
    if (next === 0 || fresh.next === null || fresh.next < next) next = fresh.next
    show()
  }

  async function further() {
    if (!next || busy) return
    busy = true
    await orSay(trouble, async () => {
      const older = await get({limit: PAGE, before: next})
      const last = rows.at(-1)?.id ?? Infinity
      rows = [...rows, ...older.rows.filter(row => row.id < last)]
      next = older.next
    })
    busy = false
    show()
  }

  function show() {
    end.textContent = next || rows.length <= PAGE ? '' : t('erp.end')
    draw(rows)
    if (!next) return
    seen.unobserve(end) // its end may be in sight still
    seen.observe(end)
  }
  return {look, show, end: h('div', trouble, end)}
}

const query = values => new URLSearchParams(values).toString()
const page = async (api, name, values) => {
  const found = await api.get(`/api/erp/${name}?${query(values)}`)
  return {rows: found[name], next: found.next ?? null}
}

function lettersPart({api, store, orSay, maps}) {
  const list = h('andon-letters')
  const trouble = h('div')
  const state = {busy: false, result: ''}
  const found = pages({orSay, get: values => page(api, 'letters', values),
    draw: letters => list.show({letters, acting: true, maps, zone: zoneOf(store), empty: t('erp.letters.none'), open: addressOf, ...state})})

  /** One after the other, in the order in which they were written; each is done once however often it is asked for. */
  async function act(verb, letters, body) {
    if (state.busy || !letters.length) return
    Object.assign(state, {busy: true, result: ''})
    found.show()
    const results = []
    for (const letter of [...letters].sort((a, b) => a.id - b.id)) {
      try {
        await api.post(`/api/erp/letters/${letter.id}/${verb}`, body)
        results.push({ok: true})
      } catch (error) {
        if (error.status === undefined) throw error
        results.push({error})
      }
    }
    Object.assign(state, {busy: false, result: told(verb, tally(results))})
    list.rest()
    await orSay(trouble, found.look)
  }
  list.addEventListener('again', ({detail}) => act('again', detail.letters))
  list.addEventListener('aside', ({detail}) => act('aside', detail.letters, {reason: detail.reason}))
  return {element: h('section', trouble, list, found.end), ask: found.look}
}

function told(verb, {done, late, failed, why}) {
  const because = say(why?.text) || t(why?.status === 0 ? 'error.unreachable' : 'error.unknown', {status: why?.status ?? '', id: why?.id || '—'})
  return [done && t(verb === 'again' ? 'erp.result.again' : 'erp.result.aside', {n: done}), late && t('erp.result.late', {n: late}), failed && t('erp.result.failed', {n: failed, why: because})].filter(Boolean).join(' · ')
}

function underWayPart({api, store, orSay}) {
  const list = h('andon-letters')
  const found = pages({orSay, get: values => page(api, 'letters', {dead: false, ...values}),
    draw: letters => list.show({letters, acting: false, zone: zoneOf(store), empty: t('erp.under-way.none'), open: addressOf, result: ''})})
  return {element: h('section', list, found.end), ask: found.look}
}

function ledgerPart({api, store, orSay, wish}) {
  const list = h('andon-exchanges', {testid: 'exchanges'})
  const found = pages({orSay, get: values => page(api, 'exchanges', {document: wish.document, ...values}),
    draw: exchanges => list.show({exchanges, zone: zoneOf(store), empty: t('erp.ledger.none')})})
  const box = h('input', {type: 'search', value: wish.document, placeholder: t('erp.search'), ariaLabel: t('erp.search'), testid: 'erp-search', maxLength: 200})
  const form = h('form.table-tools', box, h('button.quiet', {type: 'submit'}, t('erp.find')))
  form.onsubmit = event => {
    event.preventDefault()
    location.hash = addressOf(box.value.trim() || 'ledger')
  }
  return {element: h('section', form, list, found.end), ask: found.look}
}
