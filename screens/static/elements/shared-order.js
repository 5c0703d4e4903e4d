import {shortBy} from '../lib/board.js'
import {h, keyed, mark, put} from '../lib/dom.js'
import {age, dayClock, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {putIcon, icon} from '../lib/icons.js'

const OLD = 180 // seconds after which a picture that nobody renews is old
const SIGNS = {unplanned: 'clock', waiting: 'clock', running: 'clock', held: 'high', done: 'check', cancelled: 'high'}

/** How one customer's order stands: for somebody who has never seen a hub. `trouble`: '', 'away', 'over'. */
export class SharedOrder extends HTMLElement {
  #parts

  show({told, now, trouble}) {
    this.#parts ??= this.#build()
    const p = this.#parts
    p.body.hidden = !told
    put(p.none, told ? '' : trouble === 'over' ? t('shared.over') : trouble ? t('shared.away') : t('loading'))
    if (!told) return mark(p.stale, 'shown', '')
    const zone = told.time_zone
    put(p.number, told.number)
    put(p.customer, told.customer)
    keyed(p.lines, told.lines, line => line.product, () => h('andon-shared-line'), (element, line) => element.show(line, zone))
    const lasting = (now - Date.parse(told.as_of)) / 1000
    const why = told.stale || (lasting >= OLD ? 'away' : '')
    put(p.stale, why ? t(`shared.stale.${why}`, {age: age(lasting, t)}) : '')
    mark(p.stale, 'shown', why)
    put(p.asOf, t('shared.as-of', {at: dayClock(told.as_of, zone)}))
    put(p.until, t('shared.until', {at: dayClock(told.expires_at, zone)}))
  }

  #build() {
    const parts = {number: h('b.shared-number'), customer: h('span'), lines: h('div.cards'), stale: h('p.shared-stale', {role: 'status', testid: 'stale'}),
      asOf: h('p', {testid: 'as-of'}), until: h('p'), none: h('p.none', {testid: 'none'})}
    parts.body = h('div.shared', h('p.shared-head', parts.number, parts.customer), parts.stale, parts.lines, h('footer.shared-foot', parts.asOf, parts.until))
    this.replaceChildren(parts.none, parts.body)
    return parts
  }
}

/** One product of it: how much, when against when, where it is. */
export class SharedLine extends HTMLElement {
  #parts

  show(line, zone) {
    this.#parts ??= this.#build()
    const p = this.#parts
    this.dataset.testid = `line-${line.product}`
    mark(this, 'stage', line.stage)
    const open = line.stage === 'waiting' || line.stage === 'running'
    mark(this, 'late', line.late_by ? 'yes' : '')
    put(p.product, say(line.product_name) || line.product)
    const missing = shortBy(line)
    const stage = missing ? t('shared.short', {n: number(missing)}) : t(`shared.stage.${line.stage}`)
    put(p.stage, stage)
    putIcon(p.sign, missing ? 'high' : SIGNS[line.stage])
    put(p.made, t('shared.made', {made: number(line.made), ordered: number(line.ordered)}))
    p.bar.style.setProperty('--share', line.ordered > 0 ? Math.min(1, line.made / line.ordered) : 0)
    put(p.finish, line.finish ? dayClock(line.finish, zone) : open ? t('shared.finish-unknown') : line.stage === 'done' ? stage : t('shared.no-finish'))
    put(p.due, dayClock(line.due_at, zone))
    p.verdict.hidden = !line.finish
    put(p.verdictWord, line.late_by ? t('shared.late', {age: age(line.late_by, t)}) : t('shared.in-time'))
    putIcon(p.verdictSign, line.late_by ? 'high' : 'check')
    put(p.step, line.operation ? t('shared.step', {name: say(line.operation.name), good: number(line.operation.good), quantity: number(line.operation.quantity)}) : '—')
    put(p.changed, line.changed_at ? dayClock(line.changed_at, zone) : t('shared.not-begun'))
  }

  #build() {
    const parts = {product: h('b.shared-product'), sign: icon('clock'), stage: h('span'), made: h('p.shared-made'), bar: h('i.shared-bar'), finish: h('b', {testid: 'finish'}), due: h('span'),
      verdictSign: icon('check'), verdictWord: h('span'), step: h('span'), changed: h('span')}
    parts.verdict = h('p.shared-verdict', {testid: 'verdict'}, parts.verdictSign, parts.verdictWord)
    const fact = (key, value) => [h('dt', t(key)), h('dd', value)]
    this.replaceChildren(h('div.shared-line-head', parts.product, h('span.shared-stage', parts.sign, parts.stage)), parts.made, parts.bar, parts.verdict,
      h('dl.facts', ...fact('shared.finish', parts.finish), ...fact('shared.due', parts.due), ...fact('shared.in', parts.step), ...fact('shared.changed', parts.changed)))
    return parts
  }
}

customElements.define('andon-shared-line', SharedLine)
customElements.define('andon-shared-order', SharedOrder)
