import {freshness} from '../lib/board.js'
import {h, keyed, mark, put} from '../lib/dom.js'
import {abbreviate, fitScale, shortAge, shorten, since} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'
import './reading.js'

const SHOWN = 2 // readings that a full tile has room for
const ROOM_STATE = {full: 6, brief: 3.7} // ems for the word beside the age
const ROOM = {full: 9.4, brief: 6.5, mark: 2.5} // ems for the name
const SIGN = {full: 1.7, brief: 1.9, mark: 0} // ems that the mark of an alarm takes of them

/** One machine on a wall: state, since when, its key numbers with their age. */
export class MachineTile extends HTMLElement {
  #parts
  #machine
  #detail = 'full'

  connectedCallback() {
    this.setAttribute('role', 'group')
  }

  set detail(detail) {
    if (detail === this.#detail) return
    this.#detail = detail
    if (!this.#machine) return
    const machine = this.#machine
    this.#machine = null
    this.machine = machine
  }

  set machine(machine) {
    if (machine === this.#machine) return
    this.#parts ??= this.#build()
    this.#machine = machine
    this.dataset.testid = `machine-${machine.path}`
    mark(this, 'state', machine.state)
    mark(this, 'alarm', machine.alarm)
    putIcon(this.#parts.sign, machine.state)
    put(this.#parts.state, t(`state.${machine.state}`))
    this.#parts.state.style.setProperty('--fit', fitScale(this.#parts.state.textContent, ROOM_STATE[this.#detail] ?? 6, 0.7))
    if (machine.alarm) putIcon(this.#parts.alarm, machine.alarm)
    this.#parts.alarm.hidden = !machine.alarm
    this.#parts.stops.hidden = !machine.unexplained || Boolean(machine.alarm)
    put(this.#parts.stops, machine.unexplained ? `${machine.unexplained}?` : '')
    this.#name()
    this.#readings()
  }

  /** Its alarms are over or put aside. */
  set quiet(quiet) {
    mark(this, 'quiet', quiet ? 'yes' : '')
  }

  /** Ages move even when no data does. */
  tick(now, zone) {
    if (!this.#machine) return
    const at = this.#machine.since
    const short = this.#detail === 'brief' && at
    put(this.#parts.since, short ? shortAge((now - Date.parse(at)) / 1000) : since(at, now, zone, t))
    for (const reading of this.#parts.readings.children) reading.tick?.(now)
    const stale = Object.values(this.#machine.values ?? {}).some(v => freshness(v, now).kind !== 'good')
    mark(this, 'stale', stale ? 'yes' : '')
  }

  #name() {
    const full = say(this.#machine.name)
    put(this.#parts.name, (this.#detail === 'mark' ? abbreviate : shorten)(full, ROOM[this.#detail] - (this.#machine.alarm || this.#machine.unexplained ? SIGN[this.#detail] : 0)))
    const {unexplained: n} = this.#machine
    const label = [full, t(`state.${this.#machine.state}`), n && t('stops.mark', {n})].filter(Boolean).join(' · ')
    const hidden = Object.keys(this.#machine.values ?? {}).length - SHOWN
    this.setAttribute('aria-label', label)
    this.title = hidden > 0 ? `${label} · ${t('more.values', {n: hidden})}` : label
  }

  #readings() {
    const all = Object.entries(this.#machine.values ?? {})
    keyed(this.#parts.readings, all.slice(0, SHOWN), ([path]) => path, () => document.createElement('andon-reading'),
      (reading, [, value]) => (reading.value = value))
  }

  #build() {
    const [sign, state, sinceText] = [h('span.tile-sign'), h('span.tile-state'), h('time.tile-since')]
    const [name, alarm, stops] = [h('span.tile-name'), h('span.tile-alarm'), h('span.tile-stops', {hidden: true, ariaHidden: 'true'})]
    const readings = h('div.tile-readings')
    this.replaceChildren(
      h('div.tile-body', h('div.tile-head', sign, state, sinceText), h('div.tile-title', name, alarm, stops), readings))
    return {sign, state, since: sinceText, name, alarm, stops, readings}
  }
}

customElements.define('andon-machine', MachineTile)
