import {h, mark, put} from '../lib/dom.js'
import {say, t} from '../lib/i18n.js'
import {given} from '../lib/mapping.js'
import './pick-list.js'

/** A new row in three steps: where to, from what, see what comes out. Sends `try` and `add` with {key, text}. */
export class MapAdder extends HTMLElement {
  #p

  /** `to` and `from`: {label, hint}; `from`'s picks go into the expression at the cursor. */
  setup({side, to, from}) {
    const p = {
      to: h('andon-pick'), from: h('andon-pick'), value: h('output', {testid: `new-${side}-value`}), told: h('small', {role: 'status'}),
      text: h('input', {type: 'text', spellcheck: false, autocomplete: 'off', maxLength: 2000, testid: `new-${side}-text`}),
      add: h('button.button', {type: 'submit', disabled: true, testid: `add-${side}`}, t('mapping.add')), chosen: h('code.chosen-field'),
    }
    this.#p = p
    this.side = side
    p.to.setup({label: `1 · ${to.label}`, hint: to.hint, testid: `new-${side}-to`})
    p.from.setup({label: `2 · ${from.label}`, hint: from.hint, testid: `new-${side}-from`})
    p.to.addEventListener('pick', () => {
      this.#changed()
      p.from.focus()
    })
    p.from.addEventListener('pick', event => {
      this.#insert(event.detail)
      p.text.focus()
    })
    p.text.oninput = () => this.#changed()
    const form = h('form.adder', h('div.adder-picks', p.to, p.from),
      h('div.adder-end', h('label.field', h('span', `3 · ${t('mapping.expression')}`), p.text), h('p.adder-result', p.chosen, p.value, p.told), p.add))
    form.onsubmit = event => {
      event.preventDefault()
      if (!p.add.disabled) this.dispatchEvent(new CustomEvent('add', {detail: this.row, bubbles: true}))
    }
    this.replaceChildren(form)
  }

  get row() {
    return {key: this.#p.to.value, text: this.#p.text.value.trim()}
  }

  set choices({to, from}) {
    this.#p.to.items = to
    this.#p.from.items = from
  }

  /** What the preview said of the row under work. */
  show(tried) {
    const {row} = this
    put(this.#p.chosen, row.key && row.text ? `${row.key} =` : '')
    put(this.#p.value, tried && !tried.error && row.text ? given(tried.value, this.side, t) : '')
    put(this.#p.told, row.text ? say(tried?.error ?? tried?.remark) : '')
    mark(this, 'bad', tried?.error ? 'yes' : '')
    this.#p.add.disabled = !row.key || !row.text || Boolean(tried?.error)
  }

  clear() {
    this.#p.to.clear()
    this.#p.from.clear()
    this.#p.text.value = ''
    this.show(null)
  }

  focus() {
    this.#p.to.focus()
  }

  #insert(word) {
    const {text} = this.#p
    const [from, to] = [text.selectionStart ?? text.value.length, text.selectionEnd ?? text.value.length]
    text.value = text.value.slice(0, from) + word + text.value.slice(to)
    this.#changed()
  }

  #changed() {
    const {row} = this
    this.#p.add.disabled = !row.key || !row.text
    this.dispatchEvent(new CustomEvent('try', {bubbles: true}))
  }
}

customElements.define('andon-map-adder', MapAdder)
