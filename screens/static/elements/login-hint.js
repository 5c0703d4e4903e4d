import {h} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {loginAddress} from '../lib/route.js'

/** Shown instead of a board when this screen may not see one. */
export class LoginHint extends HTMLElement {
  show(visible) {
    this.hidden = !visible
    if (!visible || this.firstChild) return
    this.replaceChildren(h('h1', t('denied.title')), h('p', t('denied.device')),
      h('p', h('a.button', {href: loginAddress(location)}, t('denied.login'))))
  }
}

customElements.define('andon-login-hint', LoginHint)
