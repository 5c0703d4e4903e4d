import {rulesOf} from '../lib/alarm.js'
import {h, put} from '../lib/dom.js'
import {say, t} from '../lib/i18n.js'

/** A machine's rules out of service before work begins on it, and back. Sends `takeout` and `putback`. */
export class ServiceForm extends HTMLElement {
  #parts
  #rules = []

  /** Every rule of docs/api.md's `GET /api/rules`. */
  set rules(rules) {
    this.#parts ??= this.#build()
    this.#rules = rules
    const {machine} = this.#parts
    const kept = machine.value
    const places = new Map(rules.map(rule => [rule.equipment, rule.where]))
    machine.replaceChildren(...[...places].map(([path, where]) => h('option', {value: path}, say(where))))
    if (places.has(kept)) machine.value = kept
    this.#choose()
  }

  set said(text) {
    put(this.#parts.said, text)
  }

  #choose() {
    const {machine, rule} = this.#parts
    const options = rulesOf(this.#rules, machine.value).map(each => h('option', {value: each.rule}, say(each.title)))
    rule.replaceChildren(h('option', {value: ''}, t('service.all')), ...options)
  }

  #send(name, more) {
    const {machine, rule} = this.#parts
    this.dispatchEvent(new CustomEvent(name, {detail: {equipment: machine.value, rule: rule.value, ...more}, bubbles: true}))
  }

  #build() {
    const parts = {
      machine: h('select', {testid: 'service-machine', onchange: () => this.#choose()}), rule: h('select', {testid: 'service-rule'}),
      reason: h('input', {required: true, maxLength: 500, testid: 'service-reason'}), said: h('p', {role: 'status', testid: 'service-said'}),
    }
    const back = h('button.quiet', {type: 'button', testid: 'service-return', onclick: () => this.#send('putback')}, t('service.back'))
    const form = h('form.desk-form', h('h2', t('service.heading')),
      h('label.field', h('span', t('service.machine')), parts.machine), h('label.field', h('span', t('service.rule')), parts.rule),
      h('label.field', h('span', t('wish.reason')), parts.reason),
      h('div.desk-buttons', h('button.button', {type: 'submit', testid: 'service-take'}, t('wish.out-of-service')), back), parts.said)
    form.onsubmit = event => {
      event.preventDefault()
      const reason = parts.reason.value.trim()
      if (reason) this.#send('takeout', {reason})
    }
    this.replaceChildren(form)
    return parts
  }
}

customElements.define('andon-service-form', ServiceForm)
