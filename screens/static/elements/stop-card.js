import {h, keyed, mark, put} from '../lib/dom.js'
import {age, clock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'
import {usual} from '../lib/stops.js'

const QUICK = 4 // reasons that one tap gives

/** One stop: which machine, how long, why; a stop that needs a reason carries its machine's usual ones as buttons. */
export class StopCard extends HTMLElement {
  #parts
  #told

  show({stop, told, href, now, zone, allowed, busy, chosen}) {
    this.#parts ??= this.#build()
    this.#told = {stop}
    const {link, sign, where, long, facts, state, quick} = this.#parts
    this.dataset.testid = `stop-${stop.machine}`
    link.href = href
    mark(this, 'waits', stop.waits ? 'yes' : '')
    mark(this, 'state', stop.state)
    mark(this, 'chosen', chosen ? 'yes' : '')
    putIcon(sign, stop.state)
    put(where, say(stop.where))
    put(long, age(lasted(stop, now), t))
    put(facts, [span(stop, zone), t(`state.${stop.state}`)].join(' · '))
    put(state, stop.waits ? t('stops.waits') : said(stop, told) || t('stops.none'))
    const bare = stop.parts.find(part => !part.reason)
    const quickly = allowed && bare && stop.waits ? usual(told, stop.machine, QUICK) : []
    quick.hidden = !quickly.length
    keyed(quick, quickly, r => r.code, code => h('button.chip', {type: 'button', testid: `quick-${code}`, onclick: () => this.#tap(code)}),
      (chip, r) => {
        put(chip, say(r.name))
        chip.disabled = busy
      })
  }

  #tap(reason) {
    const {stop} = this.#told
    const part = stop.parts.find(p => !p.reason)
    this.dispatchEvent(new CustomEvent('explain', {bubbles: true, detail: {stop, part, reason}}))
  }

  #build() {
    const parts = {sign: h('span.stop-sign'), where: h('b.stop-where'), long: h('span.stop-long'), facts: h('span.stop-facts'), state: h('span.stop-said'), quick: h('div.stop-quick', {hidden: true})}
    parts.link = h('a.stop-link', parts.sign, h('span.stop-text', parts.where, parts.facts, parts.state), parts.long)
    this.replaceChildren(parts.link, parts.quick)
    return parts
  }
}

/** Planned seconds lost so far: a stop that lasts goes on counting between two looks. */
export const lasted = (stop, now) => stop.seconds + (stop.end ? 0 : Math.max(0, (now - Date.parse(stop.known_until)) / 1000))

export const span = (stop, zone) => `${clock(stop.start, zone)}–${stop.end ? clock(stop.end, zone) : t('stops.now')}`

const said = (stop, told) => [...new Set(stop.parts.map(part => nameOf(part.reason, told)))].filter(Boolean).join(' / ')

/** A reason that the file has dropped since is told by its code. */
export const nameOf = (code, told) => (code ? say(told?.reasons?.[code]?.name) || code : '')

customElements.define('andon-stop-card', StopCard)
