import {h, keyed, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {inOrder, keyOf} from '../lib/stops.js'
import './stop-card.js'

const MOST = 60 // cards; the rest stands in the console

/** Stops of somebody's machines: those that need a reason, then the others of the last hours. */
export class StopList extends HTMLElement {
  #parts

  show({told, now, zone, allowed, busy, chosen = ''}) {
    this.#parts ??= this.#build()
    const {waiting, others, none, more, count, rest} = this.#parts
    const all = inOrder(told?.stops ?? [])
    const shown = all.slice(0, MOST)
    const fill = (card, stop) => card.show({stop, told, now, zone, allowed, busy: busy === keyOf(stop), chosen: chosen === keyOf(stop), href: `#w=${encodeURIComponent(keyOf(stop))}`})
    const make = () => document.createElement('andon-stop-card')
    keyed(waiting, shown.filter(s => s.waits), keyOf, make, fill)
    keyed(others, shown.filter(s => !s.waits), keyOf, make, fill)
    put(count, all.filter(s => s.waits).length || '')
    put(none, !told ? t('loading') : all.some(s => s.waits) ? '' : t('stops.all-said'))
    rest.hidden = !all.some(s => !s.waits)
    put(more, all.length > MOST ? t('more.items', {n: all.length - MOST}) : '')
  }

  #build() {
    const parts = {waiting: h('div.cards'), others: h('div.cards'), none: h('p.none'), more: h('p.none'), count: h('small', {testid: 'stops-waiting'}), rest: h('h2', t('stops.others'))}
    this.replaceChildren(h('h2', t('stops.need'), parts.count), parts.waiting, parts.none, parts.rest, parts.others, parts.more)
    return parts
  }
}

customElements.define('andon-stop-list', StopList)
