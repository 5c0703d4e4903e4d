import {h, mark, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'

const PATIENCE = 4000 // ms in which the second press counts

/** For what cannot be taken back: the first press asks, the second one within four seconds sends `sure`. */
export class SureButton extends HTMLElement {
  #waiting = 0

  setup(word, testid) {
    this.word = word
    this.button = h('button.quiet', {type: 'button', testid, onclick: () => this.#press()}, word)
    this.replaceChildren(this.button)
  }

  disconnectedCallback() {
    clearTimeout(this.#waiting)
  }

  #press() {
    if (this.button.dataset.asked) {
      this.#rest()
      this.dispatchEvent(new CustomEvent('sure', {bubbles: true}))
      return
    }
    mark(this.button, 'asked', 'yes')
    put(this.button, t('sure.again'))
    this.#waiting = setTimeout(() => this.#rest(), PATIENCE)
  }

  #rest() {
    clearTimeout(this.#waiting)
    mark(this.button, 'asked', '')
    put(this.button, this.word)
  }
}

customElements.define('andon-sure', SureButton)
