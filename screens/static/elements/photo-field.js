import {h, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {icon} from '../lib/icons.js'
import {smaller} from '../lib/photo.js'

/** Camera, preview, take again. `blob` is the small JPEG, or null. */
export class PhotoField extends HTMLElement {
  blob = null
  #address = ''

  connectedCallback() {
    if (this.firstChild) return
    this.input = h('input.unseen', {type: 'file', accept: 'image/*', testid: 'photo', onchange: () => this.#take()})
    this.input.setAttribute('capture', 'environment')
    this.word = h('span', t('repair.photo'))
    this.picture = h('img', {alt: '', hidden: true})
    this.note = h('small', t('repair.photo.hint'))
    this.replaceChildren(h('label.photo', this.input, this.picture, h('span.photo-word', icon('camera'), this.word), this.note))
  }

  disconnectedCallback() {
    URL.revokeObjectURL(this.#address)
  }

  async #take() {
    const [file] = this.input.files
    if (!file) return
    put(this.note, t('repair.photo.busy'))
    try {
      this.blob = await smaller(file)
      this.#preview()
    } catch {
      this.blob = null
      this.picture.hidden = true
      put(this.note, t('repair.photo.bad'))
    }
    this.dispatchEvent(new CustomEvent('photo', {bubbles: true}))
  }

  #preview() {
    URL.revokeObjectURL(this.#address)
    this.#address = URL.createObjectURL(this.blob)
    Object.assign(this.picture, {src: this.#address, hidden: false})
    put(this.word, t('repair.photo.again'))
    put(this.note, `${Math.round(this.blob.size / 1024)} KB`)
  }
}

customElements.define('andon-photo', PhotoField)
