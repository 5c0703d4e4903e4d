import {h, mark, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'
import {Tone} from '../lib/tone.js'

const KEPT = 'andon.sound'

/** Sound on or off. Browsers stay silent until somebody has tapped once: then it says so instead of pretending. */
export class SoundSwitch extends HTMLElement {
  #tone = new Tone(() => this.#show())
  #on = false
  #level = ''

  connectedCallback() {
    this.#on = localStorage.getItem(KEPT) === 'on'
    this.sign = h('span')
    this.text = h('span')
    this.button = h('button.plain', {type: 'button', testid: 'sound'}, this.sign, this.text)
    this.button.onclick = () => this.#toggle()
    this.replaceChildren(this.button)
    if (this.#on) for (const touch of ['pointerdown', 'keydown']) addEventListener(touch, () => this.#unlock(), {once: true})
    this.#show()
  }

  /** '', 'high' or 'critical': what deserves a tone now. */
  set level(level) {
    this.#level = level
    this.#tone.level = this.#on ? level : ''
  }

  async #toggle() {
    this.#on = !(this.#on && this.#tone.isOpen)
    localStorage.setItem(KEPT, this.#on ? 'on' : 'off')
    if (this.#on) {
      await this.#unlock()
      this.#tone.chirp()
    }
    this.level = this.#level
    this.#show()
  }

  async #unlock() {
    await this.#tone.unlock()
    this.level = this.#level
    this.#show()
  }

  #show() {
    const state = !this.#on ? 'off' : this.#tone.isOpen ? 'on' : 'locked'
    putIcon(this.sign, state === 'on' ? 'sound' : 'mute')
    put(this.text, t(`sound.${state}`))
    mark(this, 'state', state)
    this.button.setAttribute('aria-pressed', String(this.#on))
  }
}

customElements.define('andon-sound', SoundSwitch)
