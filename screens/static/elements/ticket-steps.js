import {h, mark, put} from '../lib/dom.js'
import {clock} from '../lib/format.js'
import {t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'
import {may, steps} from '../lib/ticket.js'

const VERBS = ['accept', 'arrive', 'repair', 'close']

/** 接单 / 到场 / 修复 / 关闭 as one row that shows where we are. Only the next step can be pressed. */
export class TicketSteps extends HTMLElement {
  #buttons

  show({ticket, person, zone, busy}) {
    this.#buttons ??= this.#build()
    for (const step of steps(ticket)) {
      const {button, sign, when} = this.#buttons[step.verb]
      mark(button, 'place', step.place)
      put(when, step.at ? clock(step.at, zone) : '')
      button.disabled = busy || step.place !== 'next' || !may(person, step.verb)
      putIcon(sign, step.place === 'done' ? 'check' : button.disabled ? 'clock' : 'executing')
      button.setAttribute('aria-current', step.place === 'next' ? 'step' : 'false')
    }
  }

  #build() {
    const found = {}
    for (const verb of VERBS) {
      const [sign, when] = [h('span.step-sign'), h('time')]
      const button = h('button.step', {type: 'button', testid: verb}, sign, h('b', t(`verb.${verb}`)), when)
      button.onclick = () => this.dispatchEvent(new CustomEvent('step', {detail: verb, bubbles: true}))
      found[verb] = {button, sign, when}
    }
    this.replaceChildren(...VERBS.map(verb => found[verb].button))
    return found
  }
}

customElements.define('andon-steps', TicketSteps)
