import {h} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {loginAddress} from '../lib/route.js'

/** Shown instead of a board when this screen may not see one. */
export class LoginHint extends HTMLElement {
  #told

  /** `why`: the hub's code; a screen that was sent away says so, which is not the same as a new one. */
  show(visible, why = '') {
    this.hidden = !visible
    if (!visible || this.#told === why) return
    this.#told = why
    const gone = why === 'device-revoked'
    this.replaceChildren(h('h1', t(gone ? 'denied.revoked' : 'denied.title')), h('p', t(gone ? 'denied.revoked.device' : 'denied.device')),
      h('p', h('a.button', {href: loginAddress(location)}, t('denied.login'))))
  }
}

customElements.define('andon-login-hint', LoginHint)
