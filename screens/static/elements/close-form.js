import {h} from '../lib/dom.js'
import {t} from '../lib/i18n.js'

/** Closing without the machine's proof: a manager, with a reason, twice asked. */
export class CloseForm extends HTMLElement {
  connectedCallback() {
    const reason = h('textarea', {rows: 3, maxLength: 500, required: true, testid: 'close-reason'})
    const cancel = h('button.plain.big', {type: 'button'}, t('close.cancel'))
    cancel.onclick = () => this.dispatchEvent(new CustomEvent('cancelled', {bubbles: true}))
    const form = h('form.repair', h('h1', t('close.heading')), h('label.field', h('span', t('close.reason')), reason),
      h('footer.thumb.pair', cancel, h('button.button.big', {type: 'submit', testid: 'confirm-close'}, t('close.confirm'))))
    form.onsubmit = event => {
      event.preventDefault()
      if (reason.value.trim()) this.dispatchEvent(new CustomEvent('closing', {detail: reason.value.trim(), bubbles: true}))
    }
    this.replaceChildren(form)
  }
}

customElements.define('andon-close', CloseForm)
