import {h, mark, put} from '../lib/dom.js'
import {clock} from '../lib/format.js'
import {t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'

/** After the repair: what the machine has proved so far, live. */
export class VerifyNote extends HTMLElement {
  #parts

  show(ticket, zone) {
    const proven = ticket.state === 'closed' && Boolean(ticket.reset_at)
    this.hidden = ticket.state !== 'verifying' && !proven
    if (this.hidden) return
    this.#parts ??= this.#build()
    const {title, auto, resetSign, reset, countSign, count, bar} = this.#parts
    const [seen, needed] = [ticket.good_cycles ?? 0, ticket.cycles_needed ?? 1]
    putIcon(resetSign, ticket.reset_at ? 'check' : 'clock')
    put(reset, ticket.reset_at ? t('verify.reset.seen', {at: clock(ticket.reset_at, zone)}) : t('verify.reset.waiting'))
    putIcon(countSign, seen >= needed ? 'check' : 'clock')
    put(count, t('verify.cycles.count', {n: Math.min(seen, needed), of: needed}))
    bar.style.setProperty('--share', Math.min(1, seen / Math.max(1, needed)))
    mark(this, 'done', seen >= needed ? 'yes' : '')
    put(title, t(proven ? 'verify.proven' : 'verify.title'))
    auto.hidden = bar.hidden = proven
  }

  #build() {
    const parts = {title: h('h2'), auto: h('small', t('verify.auto')), resetSign: h('span.verify-sign'), reset: h('b'), countSign: h('span.verify-sign'),
      count: h('b', {testid: 'cycles'}), bar: h('i.verify-bar')}
    this.replaceChildren(parts.title,
      h('p', parts.resetSign, h('span', t('verify.reset')), parts.reset),
      h('p', parts.countSign, h('span', t('verify.cycles')), parts.count), parts.bar, parts.auto)
    return parts
  }
}

customElements.define('andon-verify', VerifyNote)
