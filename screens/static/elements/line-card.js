import {isBehind} from '../lib/board.js'
import {h, keyed, mark, put} from '../lib/dom.js'
import {clock, fitScale, number, percent, shorten, signed, widthOf} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import './machine-tile.js'

const HOURS = 6 // that a card has room for
const FACTORS = ['availability', 'performance', 'quality']

/** One line: good against target for the hour and the shift, OEE with its coverage, then its machines. */
export class LineCard extends HTMLElement {
  #parts
  #line
  #plan
  #zone

  /** `plan` is what lib/layout.js decided for the whole floor. */
  show(line, plan) {
    this.#parts ??= this.#build()
    if (plan !== this.#plan) this.#arrange(plan)
    if (line.name !== this.#line?.name) this.#name(say(line.name))
    if (line.sums !== this.#line?.sums) this.#sums(line.sums)
    this.#machines(line, plan)
    this.#line = line
    this.#plan = plan
  }

  tick(now, zone) {
    if (zone !== this.#zone) {
      this.#zone = zone
      this.#hours(this.#line?.sums.hours ?? [])
    }
    for (const tile of this.#parts?.tiles.children ?? []) tile.tick?.(now, zone)
  }

  #arrange(plan) {
    mark(this, 'side', plan.side)
    mark(this, 'detail', plan.detail)
    this.#parts.tiles.style.setProperty('--across', plan.across)
  }

  #name(name) {
    put(this.#parts.name, shorten(name, 10))
    const long = widthOf(this.#parts.name.textContent) > 6.4 // then on two lines
    mark(this.#parts.name, 'long', long ? 'yes' : '')
    this.#parts.name.style.setProperty('--fit', long ? 0.72 : fitScale(this.#parts.name.textContent, 4.6, 0.72))
    this.#parts.name.title = name
  }

  #sums(sums) {
    this.#amount(this.#parts.hour, sums.hour_good, sums.hour_target)
    this.#amount(this.#parts.shift, sums.good, sums.target)
    const longest = Math.max(...[this.#parts.hour, this.#parts.shift].map(c => widthOf(c.good.textContent) + widthOf(c.target.textContent) * 0.62))
    this.#parts.amounts.style.setProperty('--fit', Math.max(0.6, Math.min(1, 3.55 / longest)))
    const oee = sums.oee ?? {}
    put(this.#parts.oee, percent(oee.oee))
    FACTORS.forEach((factor, i) => put(this.#parts.factors[i], percent(oee[factor])))
    put(this.#parts.coverage, percent(oee.coverage))
    mark(this.#parts.coverage.parentElement, 'thin', (oee.coverage ?? 0) < 0.9 ? 'yes' : '')
    this.#hours(sums.hours ?? [])
  }

  #amount(cell, good, target) {
    const planned = typeof target === 'number' && target > 0
    const actual = number(good ?? NaN)
    put(cell.good, actual)
    put(cell.target, planned ? `/${number(Math.round(target))}` : '')
    put(cell.delta, planned ? signed((good ?? 0) - Math.round(target)).replace(',', '') : t('line.no-target'))
    mark(cell.box, 'behind', isBehind(good, target) ? 'yes' : '')
  }

  #hours(hours) {
    if (this.#zone === undefined) return // an hour has a name only on the plant's clock
    const last = hours.filter(hour => hour.target > 0 || hour.good > 0).slice(-HOURS)
    const top = Math.max(1, ...last.map(hour => Math.max(hour.good, hour.target)))
    keyed(this.#parts.hours, last, hour => hour.hour, () => h('span', h('small'), h('i', h('b'))), (slot, hour) => {
      const bar = slot.lastChild
      put(slot.firstChild, clock(hour.hour, this.#zone).slice(0, 2))
      slot.title = `${clock(hour.hour, this.#zone)} ${number(hour.good)}/${number(hour.target)}`
      bar.style.setProperty('--target', hour.target / top)
      bar.style.setProperty('--good', hour.good / top)
      mark(bar, 'planned', hour.target > 0 ? 'yes' : '')
    })
  }

  #machines({machines, quiet}, plan) {
    const shown = machines.length > plan.shownMachines ? machines.slice(0, Math.max(1, plan.shownMachines - 1)) : machines
    keyed(this.#parts.tiles, shown, machine => machine.path, () => document.createElement('andon-machine'),
      (tile, machine) => {
        tile.detail = plan.detail
        tile.machine = machine
        tile.quiet = quiet.has(machine.path)
      })
    const hidden = machines.length - shown.length
    this.#parts.more.hidden = !hidden
    if (hidden) {
      put(this.#parts.more, `+${hidden}`)
      this.#parts.more.title = t('more.hidden', {n: hidden})
    }
    if (this.#parts.tiles.lastChild !== this.#parts.more) this.#parts.tiles.append(this.#parts.more)
  }

  #build() {
    const parts = {
      name: h('h2.line-name'), oee: h('b'), coverage: h('b'), factors: FACTORS.map(() => h('b')),
      amounts: h('div.line-amounts'), hour: amount(), shift: amount(), hours: h('div.line-hours'), tiles: h('div.line-tiles'), more: h('span.line-more'),
    }
    parts.amounts.append(labelled(t('line.hour'), parts.hour), labelled(t('line.shift'), parts.shift), parts.hours)
    this.replaceChildren(
      h('div.line-sums',
        h('div.line-inner',
          h('div.line-head', parts.name, h('span.line-oee', h('span', 'OEE'), parts.oee, h('small', '%'))),
          parts.amounts,
          h('div.line-factors',
            ...FACTORS.map((factor, i) => h('span', t(`oee.${factor}`), parts.factors[i])),
            h('span.line-coverage', t('oee.coverage'), parts.coverage)))),
      parts.tiles)
    parts.tiles.append(parts.more)
    return parts
  }
}

function amount() {
  const parts = {good: h('b'), target: h('span'), delta: h('em')}
  return {...parts, box: h('span.amount', parts.good, parts.target)}
}

const labelled = (label, cell) => h('div.line-amount', h('span.amount-label', label, cell.delta), cell.box)

customElements.define('andon-line', LineCard)
