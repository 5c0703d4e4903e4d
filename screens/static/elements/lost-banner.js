import {h, put} from '../lib/dom.js'
import {age, fullClock} from '../lib/format.js'
import {t} from '../lib/i18n.js'
import {icon} from '../lib/icons.js'

/** Large, over everything: this page has stopped hearing, and so old is what it shows. */
export class LostBanner extends HTMLElement {
  #parts

  connectedCallback() {
    this.dataset.testid = 'lost'
    this.setAttribute('role', 'alert')
    this.hidden = true
  }

  show(store, zone) {
    this.hidden = store.status !== 'lost'
    if (this.hidden) return
    this.#parts ??= this.#build()
    const silence = store.silence()
    put(this.#parts.age, silence === null ? t('lost.never')
      : t('lost.age', {at: fullClock(store.heardAt, zone), age: age(silence, t)}))
  }

  #build() {
    const parts = {age: h('p.lost-age')}
    this.replaceChildren(h('div.lost-sign', icon('unplugged')),
      h('div', h('h1', t('lost.title')), parts.age, h('p.lost-hint', t('lost.hint'))))
    return parts
  }
}

customElements.define('andon-lost', LostBanner)
