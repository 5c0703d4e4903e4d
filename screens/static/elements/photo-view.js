import {h, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'

/** The photo that somebody took of a repair: small beside the text, by a tap as large as the screen. */
export class PhotoView extends HTMLElement {
  #parts
  #shown = ''

  /** `id` as the ticket names it; nothing is shown without one. */
  show(id) {
    this.hidden = !id
    if (!id || id === this.#shown) return
    this.#shown = id
    this.#parts ??= this.#build()
    const {small, open, lost} = this.#parts
    put(lost, '')
    open.hidden = false
    small.src = `/api/photos/${encodeURIComponent(id)}`
  }

  #build() {
    const small = h('img', {alt: t('photo.alt'), testid: 'photo-small'})
    const large = h('img', {alt: t('photo.alt'), testid: 'photo-large'})
    const lost = h('p.photo-lost')
    const whole = h('dialog.photo-whole', {onclick: () => whole.close()}, h('button.button', {type: 'button', ariaLabel: t('photo.close')}, '✕'), large)
    const open = h('button.photo-open', {type: 'button', testid: 'photo-open', title: t('photo.open'), onclick: () => {
      large.src = small.src
      whole.showModal()
    }}, small)
    small.onerror = () => {
      open.hidden = true
      put(lost, t('photo.lost'))
    }
    this.replaceChildren(open, lost, whole)
    return {small, open, lost}
  }
}

customElements.define('andon-photo-view', PhotoView)
