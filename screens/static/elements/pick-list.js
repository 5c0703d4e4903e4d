import {h, keyed, mark, put} from '../lib/dom.js'
import {t} from '../lib/i18n.js'
import {matching} from '../lib/mapping.js'

/** One of many, found by typing. Items: {value, title, hint, taken}. Arrows and Enter work; sends `pick` with the value. */
export class PickList extends HTMLElement {
  #parts
  #items = []
  #chosen = ''

  setup({label, testid, hint = ''}) {
    const find = h('input', {type: 'search', placeholder: hint, ariaLabel: label, testid, autocomplete: 'off', oninput: () => this.#draw()})
    const [list, none] = [h('div.picks', {role: 'listbox', ariaLabel: label}), h('p.none')]
    find.onkeydown = event => {
      if (event.key === 'ArrowDown') this.#step(event, list.firstElementChild)
      if (event.key !== 'Enter') return
      event.preventDefault()
      const first = list.firstElementChild
      if (first) this.#pick(first.item.value)
      else if (find.value.trim()) this.#pick(find.value.trim())
    }
    this.#parts = {find, list, none}
    this.replaceChildren(h('label.field', h('span', label), find), list, none)
  }

  set items(items) {
    this.#items = items
    this.#draw()
  }

  set value(value) {
    this.#chosen = value
    this.#draw()
  }

  get value() {
    return this.#chosen
  }

  focus() {
    this.#parts.find.focus()
  }

  clear() {
    this.#chosen = ''
    this.#parts.find.value = ''
    this.#draw()
  }

  #pick(value) {
    this.#chosen = value
    this.#draw()
    this.dispatchEvent(new CustomEvent('pick', {detail: value, bubbles: true}))
  }

  #step(event, to) {
    event.preventDefault()
    to?.focus()
  }

  #draw() {
    const {find, list, none} = this.#parts
    const found = matching(this.#items, find.value)
    keyed(list, found, item => item.value, () => this.#option(), (option, item) => {
      option.item = item
      option.dataset.testid = `pick-${item.value}`
      put(option.children[0], item.title || item.value)
      put(option.children[1], item.title ? item.value : '')
      put(option.children[2], item.taken ? t('mapping.taken') : item.hint ?? '')
      mark(option, 'taken', item.taken ? 'yes' : '')
      option.setAttribute('aria-selected', String(item.value === this.#chosen))
    })
    put(none, found.length ? '' : find.value ? t('mapping.as-typed', {name: find.value.trim()}) : t('mapping.no-list'))
  }

  #option() {
    const option = h('button', {type: 'button', role: 'option', tabIndex: -1, onclick: () => this.#pick(option.item.value)}, h('b'), h('code'), h('small'))
    option.onkeydown = event => {
      if (event.key === 'ArrowDown') this.#step(event, option.nextElementSibling)
      if (event.key === 'ArrowUp') this.#step(event, option.previousElementSibling ?? this.#parts.find)
    }
    return option
  }
}

customElements.define('andon-pick', PickList)
