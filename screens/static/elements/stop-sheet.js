import {h, keyed, mark, put} from '../lib/dom.js'
import {age, clock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {chosenPart, cutAt, cuts, usual} from '../lib/stops.js'
import {lasted, nameOf, span} from './stop-card.js'

/** One stop: its parts as a bar, the reasons of its machine, and where to cut or join it. Sends explain, split, merge. */
export class StopSheet extends HTMLElement {
  #parts
  #told
  #part // start of the one that is chosen
  #cut = 0

  show({stop, told, now, zone, allowed, busy, trouble}) {
    this.#parts ??= this.#build()
    const {where, facts, bar, reasons, head, by, bad} = this.#parts
    const part = chosenPart(stop, this.#part)
    this.#told = {stop, part, zone}
    put(where, say(stop.where))
    put(facts, [t(`state.${stop.state}`), span(stop, zone), age(lasted(stop, now), t)].join(' · '))
    keyed(bar, stop.parts, p => p.start, start => h('button.stop-part', {type: 'button', onclick: () => this.#choose(start)}), (button, p) => {
      put(button, nameOf(p.reason, told) || t('stops.bare'))
      button.style.flexGrow = String(Math.max(1, Date.parse(p.end) - Date.parse(p.start)))
      button.setAttribute('aria-pressed', String(p === part))
      mark(button, 'bare', p.reason ? '' : 'yes')
    })
    put(head, t('stops.part', {from: clock(part.start, zone), to: !stop.end && part === stop.parts.at(-1) ? t('stops.now') : clock(part.end, zone), long: age(part.seconds, t)}))
    put(by, part.by ? [say(part.by.name), clock(part.at, zone), part.note].filter(Boolean).join(' · ') : '')
    keyed(reasons, usual(told, stop.machine), r => r.code, code => h('button.chip', {type: 'button', testid: `reason-${code}`, onclick: () => this.#explain(code)}), (chip, r) => {
      put(chip, say(r.name))
      chip.setAttribute('aria-pressed', String(r.code === part.reason))
      chip.disabled = !allowed || Boolean(busy)
    })
    put(bad, trouble)
    this.#cutting(stop, part, allowed, busy)
  }

  #cutting(stop, part, allowed, busy) {
    const {slider, cut, before, after, knife, notes} = this.#parts
    const range = cuts(part)
    knife.hidden = !range || !allowed
    notes.hidden = !allowed
    if (range) {
      for (const name of ['min', 'max', 'step']) if (slider[name] !== String(range[name])) slider[name] = range[name]
      if (slider.dataset.of !== part.start) {
        slider.dataset.of = part.start
        slider.value = Math.round(range.max / 2 / range.step) * range.step
      }
      this.#cut = Number(slider.value)
      put(cut, t('stops.split-at', {at: clock(cutAt(part, this.#cut), this.#told.zone)}))
      cut.disabled = Boolean(busy)
    }
    const i = stop.parts.indexOf(part)
    before.hidden = !allowed || i === 0
    after.hidden = !allowed || i === stop.parts.length - 1
    before.disabled = after.disabled = Boolean(busy)
  }

  #choose(start) {
    this.#part = start
    this.#parts.note.value = ''
    this.#say('chosen', {})
  }

  #explain(reason) {
    const {stop, part} = this.#told
    this.#part = stop.parts.length > 1 ? undefined : part.start // on to the next that has none
    this.#say('explain', {stop, part, reason, note: this.#parts.note.value})
    this.#parts.note.value = ''
  }

  #split() {
    const {stop, part} = this.#told
    this.#part = part.start
    this.#say('split', {stop, cut: cutAt(part, this.#cut)})
  }

  #merge(later) {
    const {stop, part} = this.#told
    this.#part = undefined
    this.#say('merge', {stop, cut: later ? part.end : part.start, keep: later ? 'earlier' : 'later'})
  }

  #say(what, detail) {
    this.dispatchEvent(new CustomEvent(what, {bubbles: true, detail}))
  }

  #build() {
    const parts = {where: h('h1'), facts: h('p.stop-facts'), bar: h('div.stop-bar', {testid: 'stop-bar'}), head: h('h2.stop-head'), by: h('p.stop-by'), reasons: h('div.chips'), bad: h('p.trouble', {role: 'alert', testid: 'stop-trouble'}),
      note: h('input', {type: 'text', maxLength: 500, placeholder: t('stops.note'), ariaLabel: t('stops.note'), testid: 'stop-note'}),
      slider: h('input.stop-slider', {type: 'range', ariaLabel: t('stops.slider'), testid: 'stop-slider', oninput: () => this.#slid()}),
      cut: h('button.button', {type: 'button', testid: 'stop-split', onclick: () => this.#split()}),
      before: h('button.button', {type: 'button', testid: 'merge-before', onclick: () => this.#merge(false)}, t('stops.merge-before')),
      after: h('button.button', {type: 'button', testid: 'merge-after', onclick: () => this.#merge(true)}, t('stops.merge-after'))}
    parts.knife = h('div.stop-knife', parts.slider, parts.cut)
    parts.notes = h('label.field', parts.note)
    this.replaceChildren(h('div.stop-top', parts.where, parts.facts), parts.bad, parts.bar, parts.head, parts.by, parts.reasons, parts.notes,
      h('div.stop-cutting', parts.knife, h('div.stop-joins', parts.before, parts.after)))
    return parts
  }

  #slid() {
    this.#cut = Number(this.#parts.slider.value)
    put(this.#parts.cut, t('stops.split-at', {at: clock(cutAt(this.#told.part, this.#cut), this.#told.zone)}))
  }
}

customElements.define('andon-stop-sheet', StopSheet)
