import {freshness} from '../lib/board.js'
import {h, mark, put} from '../lib/dom.js'
import {number, shorten, shortAge, widthOf} from '../lib/format.js'
import {currentLanguage, say, t} from '../lib/i18n.js'
import {icon} from '../lib/icons.js'

const ROOM = {'zh-CN': 3.5, en: 2.6} // ems that figure and unit have together; in English beside the age
const WIDE = 150 // design pixels of the narrowest reading; its figure has 39, its age 24
const LABEL = {'zh-CN': 6, en: 6.4}

/** One number with its unit, age and trustworthiness. Old numbers must not look live: struck, grey, with a clock. */
export class AndonReading extends HTMLElement {
  #parts
  #value

  set value(value) {
    if (value === this.#value) return
    this.#parts ??= this.#build()
    this.#value = value
    const {label, figure, unit} = this.#parts
    put(label, shorten(say(value.label), LABEL[currentLanguage()]))
    const known = value.status !== 'bad' && value.value !== undefined && value.value !== null
    put(figure, known ? shown(value) : '—')
    put(unit, known ? value.unit ?? '' : '')
    const ems = widthOf(figure.textContent) + widthOf(unit.textContent) * 0.62
    this.style.setProperty('--fit', Math.max(0.62, Math.min(1, ROOM[currentLanguage()] / ems)))
    this.title = say(value.label)
  }

  tick(now) {
    if (!this.#value) return
    const {kind, age} = freshness(this.#value, now)
    mark(this, 'kind', kind)
    const told = kind === 'bad' ? t('reading.none') : age === null ? '—' : shortAge(age)
    put(this.#parts.age, told)
    if (kind === 'stale') this.style.setProperty('--old', fitBeside(this.#parts.figure.textContent, told))
  }

  #build() {
    const parts = {label: h('span.reading-label'), figure: h('span.reading-figure'), unit: h('span.reading-unit'),
      age: h('span')}
    this.replaceChildren(
      h('div.reading-top', parts.label, h('span.reading-age', icon('clock'), parts.age)),
      h('div.reading-number', parts.figure, parts.unit))
    return parts
  }
}

/** What the figure shrinks to, so that the clock and the age of an old number stand beside it and not on it. */
function fitBeside(figure, age) {
  const room = WIDE - (widthOf(age) + 1.3) * 24 // the clock is as wide as a letter, with a gap on each side
  return Math.max(0.5, Math.min(0.85, room / (widthOf(figure) * 39)))
}

function shown({value, decimals}) {
  return typeof value === 'number' ? number(value, decimals ?? 1) : String(value)
}

customElements.define('andon-reading', AndonReading)
