import {bridgeState, mapOf, waitingText} from '../lib/erp.js'
import {h, mark, put} from '../lib/dom.js'
import {age, dayClock, number} from '../lib/format.js'
import {t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'

const SIGNS = {up: 'check', away: 'unplugged', stopped: 'fault', quiet: 'clock'}

/** How the bridge to the ERP is: whether it answers, since when not, what waits. */
export class BridgeBoard extends HTMLElement {
  #parts

  show(health, zone) {
    this.#parts ??= this.#build()
    const p = this.#parts
    const state = bridgeState(health)
    putIcon(p.sign, SIGNS[state])
    put(p.word, `${t('erp.bridge')} · ${t(`erp.state.${state}`)}`)
    mark(p.head, 'state', state === 'up' ? 'executing' : state === 'quiet' ? 'unknown' : 'fault')
    put(p.why, state === 'up' ? '' : health.last_error ?? '')
    put(p.last, health.last_ok ? dayClock(health.last_ok, zone) : '—')
    put(p.waiting, number(Object.values(health.waiting ?? {}).reduce((a, b) => a + b, 0)))
    put(p.kinds, waitingText(health, t))
    put(p.oldest, health.oldest_seconds ? age(health.oldest_seconds, t) : '—')
    put(p.dead, number(health.dead ?? 0))
    mark(p.deadBox, 'bad', health.dead ? 'yes' : '')
    this.#unread(health.left_out, zone)
  }

  /** Records of the ERP that no map can read: each with the way to its map. */
  #unread(unread, zone) {
    const p = this.#parts
    p.unreadBox.hidden = p.unread.hidden = !unread
    if (!unread) return
    put(p.unreadCount, number(unread.count))
    mark(p.unreadBox, 'bad', 'yes')
    p.unread.replaceChildren(...unread.newest.map(one => h('li', h('a', {href: mapOf(one.document)}, `${one.document} ${one.record}`),
      h('span', ` ${one.reason} · ${t('erp.unread.since', {at: dayClock(one.since, zone)})}`))))
  }

  #build() {
    const p = {sign: h('span'), word: h('b'), why: h('p.letter-why'), last: h('dd'), waiting: h('dd'), kinds: h('small'), oldest: h('dd'), dead: h('dd', {testid: 'erp-dead'})}
    p.head = h('p.status-head', {testid: 'erp-state'}, p.sign, p.word)
    Object.assign(p, {unreadCount: h('dd', {testid: 'erp-unread'}), unread: h('ul.letter-why', {hidden: true, testid: 'erp-unread-newest', ariaLabel: t('erp.unread')})})
    p.unreadBox = h('div', {hidden: true}, h('dt', t('erp.unread')), p.unreadCount)
    p.deadBox = h('div', h('dt', t('erp.dead')), p.dead)
    this.replaceChildren(h('div.status-top', p.head, h('dl.status-figures', h('div', h('dt', t('erp.last-ok')), p.last),
      h('div', h('dt', t('erp.waiting')), p.waiting, p.kinds), h('div', h('dt', t('erp.oldest')), p.oldest), p.deadBox, p.unreadBox)), p.why, p.unread)
    return p
  }
}

customElements.define('andon-bridge', BridgeBoard)
