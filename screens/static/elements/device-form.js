import {h, put} from '../lib/dom.js'
import {say, t} from '../lib/i18n.js'

/** A new wall screen: name and scope in, a link that is shown once out. */
export class DeviceForm extends HTMLElement {
  #parts

  /** Nodes of the plant a screen may be given: [{path, name}]. */
  set scopes(scopes) {
    this.#parts ??= this.#build()
    const kept = this.#parts.scope.value
    this.#parts.scope.replaceChildren(...scopes.map(({path, name}) => h('option', {value: path}, `${say(name)} (${path})`)))
    if (kept) this.#parts.scope.value = kept
  }

  set link(link) {
    this.#parts.result.hidden = false
    this.#parts.link.value = link
    this.#parts.link.select()
  }

  set trouble(text) {
    put(this.#parts.trouble, text)
  }

  #build() {
    const parts = {
      name: h('input', {required: true, maxLength: 80, placeholder: t('devices.name.hint'), testid: 'device-name'}),
      scope: h('select', {testid: 'device-scope'}), trouble: h('p.trouble', {role: 'alert'}),
      link: h('input', {readOnly: true, testid: 'device-link', ariaLabel: t('devices.once')}),
    }
    const copy = h('button.quiet', {type: 'button'}, t('devices.copy'))
    copy.onclick = async () => {
      parts.link.select()
      await navigator.clipboard?.writeText(parts.link.value)
      put(copy, t('devices.copied'))
    }
    parts.result = h('div.device-link', {hidden: true}, h('p', t('devices.once')), h('div.pair', parts.link, copy))
    const form = h('form.desk-form', h('h2', t('devices.heading')),
      h('label.field', h('span', t('devices.name')), parts.name), h('label.field', h('span', t('devices.scope')), parts.scope),
      h('button.button', {type: 'submit', testid: 'create-device'}, t('devices.create')), parts.trouble, parts.result)
    form.onsubmit = event => {
      event.preventDefault()
      this.dispatchEvent(new CustomEvent('create', {detail: {name: parts.name.value.trim(), scope: parts.scope.value}, bubbles: true}))
    }
    this.replaceChildren(form)
    return parts
  }
}

customElements.define('andon-device-form', DeviceForm)
