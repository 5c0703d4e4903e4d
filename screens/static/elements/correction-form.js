import {h} from '../lib/dom.js'
import {eventOf, fieldsOf, written} from '../lib/event-form.js'
import {say, t} from '../lib/i18n.js'

/** A record of the MES as an event that a person corrects, by its fields or as JSON. Sends `draft`, and `check` and `correct` with the text. */
export class CorrectionForm extends HTMLElement {
  #parts
  #event = null

  /** Closed and empty: another record is shown. */
  reset() {
    this.#parts ??= this.#build()
    this.#parts.text.value = ''
    this.#parts.box.hidden = true
    this.#parts.open.hidden = false
    this.#parts.found.replaceChildren()
  }

  edit(text) {
    const p = this.#parts
    p.box.hidden = false
    p.open.hidden = true
    p.found.replaceChildren()
    this.#write(text)
    this.#show(eventOf(text))
    ;(this.#event ? p.fields.querySelector('input') : p.text)?.focus()
  }

  /** What the hub says of the text: each field with its remedy, or what will be changed. */
  tell({result, changes}) {
    const faults = result.faults ?? []
    const notes = (result.notes ?? []).map(told)
    const changed = changes.map(c => h('li', h('b', c.field), ` ${c.before || '—'} → ${c.after || '—'}`))
    const heads = {rejected: 'correct.wrong', repeat: 'correct.repeat'}
    const head = t(heads[result.result] ?? (changed.length ? 'correct.sound' : 'correct.same'))
    const lines = result.result === 'rejected' ? faults.map(told) : [...notes, ...changed]
    const left = result.ignored ? h('p', t('correct.ignored', {fields: result.ignored.join(', ')})) : ''
    this.#parts.found.replaceChildren(h('p', h('b', head)), lines.length ? h('ul', ...lines) : '', left)
    for (const field of this.#parts.fields.querySelectorAll('.field')) {
      const fault = faults.find(f => f.field.split('.')[0] === field.dataset.name)
      field.querySelector('.field-fault').textContent = fault ? say(fault.text) : ''
      field.lastChild.setAttribute('aria-invalid', String(Boolean(fault)))
    }
  }

  #write(text) {
    this.#parts.text.value = text
    this.#parts.text.rows = Math.min(Math.max(text.split('\n').length + 1, 6), 24)
  }

  /** By its fields where it has any, else as JSON. */
  #show(event) {
    const p = this.#parts
    this.#event = event
    const fields = event ? fieldsOf(event) : []
    const rare = fields.filter(f => !f.known || (f.text === '' && fields.indexOf(f) > 7))
    const line = f => this.#field(f)
    p.fields.replaceChildren(...fields.filter(f => !rare.includes(f)).map(line),
      rare.length ? h('details', h('summary', t('correct.more', {n: rare.length})), h('div.correct-fields', ...rare.map(line))) : '')
    p.fields.hidden = !event
    p.raw.hidden = Boolean(event)
    p.swap.textContent = t(event ? 'correct.as-json' : 'correct.as-fields')
  }

  #field({name, text, choices, long}) {
    const put = choices
      ? h('select', {name, value: text}, ...choices.map(value => h('option', {value, selected: value === text}, value === '' ? '—' : word(name, value))))
      : h(long ? 'textarea.record-text' : 'input', {name, value: text, ...(long ? {rows: Math.min(text.split('\n').length, 10)} : {type: 'text'}), autocomplete: 'off', spellcheck: false})
    put.dataset.testid = `correct-${name}`
    if (name === 'type') put.onchange = () => this.#show({...this.#made(), type: put.value})
    const label = t(`event.field.${name}`)
    return h('label.field', {data: {name}}, h('span', label === `event.field.${name}` ? name : label, ' ', h('small', name)), h('small.field-fault'), put)
  }

  #made() {
    const puts = [...this.#parts.fields.querySelectorAll('[name]')]
    return written(this.#event, Object.fromEntries(puts.map(put => [put.name, put.value])))
  }

  #swap() {
    if (this.#event) {
      this.#write(JSON.stringify(this.#made(), null, 2))
      this.#show(null)
    } else {
      const event = eventOf(this.#parts.text.value)
      if (event) this.#show(event)
      else this.#parts.found.replaceChildren(h('p', t('correct.no-fields')))
    }
  }

  #send(name) {
    const text = this.#event ? JSON.stringify(this.#made()) : this.#parts.text.value
    this.dispatchEvent(new CustomEvent(name, {detail: text, bubbles: true}))
  }

  #build() {
    const p = {
      open: h('button.quiet', {type: 'button', testid: 'reject-edit', onclick: () => this.dispatchEvent(new CustomEvent('draft', {bubbles: true}))}, t('correct.open')),
      text: h('textarea.record-text', {maxLength: 100000, spellcheck: false, testid: 'correct-text'}),
      fields: h('div.correct-fields', {testid: 'correct-fields'}),
      swap: h('button.quiet', {type: 'button', testid: 'correct-swap', onclick: () => this.#swap()}),
      found: h('div.correct-found', {role: 'status', testid: 'correct-found'}),
    }
    const check = h('button.quiet', {type: 'button', testid: 'correct-check', onclick: () => this.#send('check')}, t('correct.check'))
    const take = h('button.button', {type: 'button', testid: 'correct-take', onclick: () => this.#send('correct')}, t('correct.take'))
    p.raw = h('label.field', h('span', t('correct.label')), p.text)
    p.box = h('div.correct-box', {hidden: true}, p.fields, p.raw, p.found, h('div.desk-buttons', check, take, p.swap))
    this.replaceChildren(p.open, p.box)
    return p
  }
}

function word(name, value) {
  const found = name === 'type' ? t(`event.type.${value}`) : name === 'state' ? t(`job.${value}`) : ''
  return found && !found.includes(`.${value}`) ? found : value
}

const told = f => h('li', f.field ? h('b', f.field) : '', f.field ? ' ' : '', say(f.text))

customElements.define('andon-correction', CorrectionForm)
