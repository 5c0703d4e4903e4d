import {h} from '../lib/dom.js'
import {keepLanguage, otherLanguage, t} from '../lib/i18n.js'

/** Changes to the other language and keeps the choice; the page loads again in it. */
export class LangSwitch extends HTMLElement {
  connectedCallback() {
    const button = h('button.plain', {type: 'button', testid: 'lang', lang: otherLanguage()}, t('lang.other'))
    button.onclick = () => {
      keepLanguage(otherLanguage(), localStorage)
      const address = new URL(location.href)
      address.searchParams.delete('lang')
      history.replaceState(null, '', address)
      location.reload()
    }
    this.replaceChildren(button)
  }
}

customElements.define('andon-lang', LangSwitch)
