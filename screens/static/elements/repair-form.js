import {h, put} from '../lib/dom.js'
import {say, t} from '../lib/i18n.js'
import {icon} from '../lib/icons.js'
import {CAUSES} from '../lib/ticket.js'
import './photo-field.js'

/** One decision: what was it? Cause as a chip, a sentence, a photo; then `repaired` goes out with all three. */
export class RepairForm extends HTMLElement {
  #parts
  #chosen = ''

  set ticket(ticket) {
    this.#parts ??= this.#build(ticket)
  }

  #choose(cause) {
    this.#chosen = cause
    for (const chip of this.#parts.chips) chip.setAttribute('aria-pressed', String(chip.value === cause))
    this.#check()
  }

  /** What is still missing stands beside the button; the button waits for it. */
  #check() {
    const missing = !this.#chosen ? 'class' : !this.#parts.text.value.trim() ? 'cause' : !this.#parts.photo.blob ? 'photo' : ''
    put(this.#parts.missing, missing && t(`repair.missing.${missing}`))
    this.#parts.submit.disabled = Boolean(missing)
    return !missing
  }

  #submit(event) {
    event.preventDefault()
    if (!this.#check()) return
    this.#parts.submit.disabled = true
    const detail = {cause_class: this.#chosen, cause: this.#parts.text.value.trim(), photo: this.#parts.photo.blob}
    this.dispatchEvent(new CustomEvent('repaired', {detail, bubbles: true}))
  }

  #build(ticket) {
    const chips = CAUSES.map(cause => h('button.chip', {type: 'button', value: cause, testid: `cause-${cause}`, ariaPressed: 'false',
      onclick: () => this.#choose(cause)}, t(`cause.${cause}`)))
    const text = h('textarea', {rows: 3, maxLength: 500, placeholder: t('repair.cause.hint'), testid: 'cause', oninput: () => this.#check()})
    const parts = {chips, text, photo: h('andon-photo'), missing: h('p.missing', {role: 'status'}),
      submit: h('button.button.big', {type: 'submit', testid: 'submit-repair'}, t('repair.submit'))}
    parts.photo.addEventListener('photo', () => this.#check())
    const form = h('form.repair', {onsubmit: event => this.#submit(event)},
      h('header.page-head', h('a.back', {href: `#t=${ticket.id}`, ariaLabel: t('phone.back')}, icon('back')), h('span.page-number', h('span', say(ticket.where)), h('span', say(ticket.title)))),
      h('h1', t('repair.heading')),
      h('h2', t('repair.class')), h('div.chips', {role: 'group', ariaLabel: t('repair.class')}, ...chips),
      h('label.field', h('span', t('repair.cause')), text),
      parts.photo,
      h('footer.thumb', parts.missing, parts.submit))
    this.replaceChildren(form)
    this.#parts = parts
    this.#check()
    return parts
  }
}

customElements.define('andon-repair', RepairForm)
