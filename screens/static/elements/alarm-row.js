import {placeOf} from '../lib/board.js'
import {h, mark, put} from '../lib/dom.js'
import {fitScale, since} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'

const TITLE = 12 // ems that a title has at its full size

/** One alarm in a list: how urgent, where and what, how old, whose. */
export class AlarmRow extends HTMLElement {
  #parts
  #alarm

  /** `machine` is its name in words, where it is known. */
  show(alarm, machine) {
    if (alarm === this.#alarm) return
    this.#parts ??= this.#build()
    this.#alarm = alarm
    const {sign, title, state, owner} = this.#parts
    this.dataset.testid = `alarm-${alarm.id}`
    mark(this, 'priority', alarm.priority)
    mark(this, 'state', alarm.state)
    putIcon(sign, alarm.priority)
    sign.setAttribute('aria-label', t(`priority.${alarm.priority}`))
    const place = placeOf(say(alarm.where), say(machine))
    put(this.#parts.line, place.line)
    put(this.#parts.machine, place.machine)
    put(title, say(alarm.title))
    title.style.setProperty('--fit', fitScale(title.textContent, TITLE, 0.8))
    put(state, alarm.blind ? t('alarm.blind') : t(`alarm.state.${alarm.state}`))
    put(owner, alarm.owner?.name ? say(alarm.owner.name) : t('alarm.nobody'))
    this.title = `${say(alarm.where)} ${say(alarm.title)}`
  }

  tick(now, zone) {
    if (this.#alarm) put(this.#parts.since, since(this.#alarm.raised_at, now, zone, t))
  }

  #build() {
    const parts = {sign: h('span.row-sign', {role: 'img'}), line: h('span.row-line'), machine: h('span.row-machine'), title: h('span.row-title'),
      since: h('time'), owner: h('span.row-owner'), state: h('span.row-state')}
    this.replaceChildren(parts.sign, h('div.row-text', h('div.row-head', parts.title, h('span.row-where', parts.line, parts.machine)),
      h('div.row-facts', parts.since, parts.owner, parts.state)))
    return parts
  }
}

customElements.define('andon-alarm', AlarmRow)
