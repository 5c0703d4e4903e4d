import {kindWord, mendedAt} from '../lib/erp.js'
import {h, keyed, mark, put} from '../lib/dom.js'
import {dayClock, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'

/** Messages that the ERP has not taken: what about, why, and what to do with one or with several. Sends `again` and `aside`: {letters, reason?}. */
export class LetterList extends HTMLElement {
  #parts
  #letters = []
  #chosen = new Set()

  /** `acting`: letters that were given up, which people decide about; else those under way, to look at. */
  show({letters, acting, zone, empty, busy, result, open, maps}) {
    this.#parts ??= this.#build()
    const p = this.#parts
    this.#letters = letters
    this.zone = zone
    const known = new Set(letters.map(letter => letter.id))
    this.#chosen = new Set([...this.#chosen].filter(id => known.has(id)))
    Object.assign(this, {open, maps})
    mark(this, 'acting', acting ? 'yes' : '')
    mark(this, 'busy', busy ? 'yes' : '')
    p.bar.hidden = !acting || !letters.length
    keyed(p.rows, letters, letter => letter.id, () => this.#row(), (line, letter) => this.#fill(line, letter))
    put(p.none, letters.length ? '' : empty)
    put(p.result, result)
    this.#count(busy)
  }

  #count(busy) {
    const p = this.#parts
    const n = this.#chosen.size
    put(p.again, t('erp.again.n', {n}))
    put(p.aside, t('erp.aside.n', {n}))
    for (const button of [p.again, p.aside]) button.disabled = !n || Boolean(busy)
    p.all.checked = n > 0 && n === this.#letters.length
    p.all.indeterminate = n > 0 && n < this.#letters.length
  }

  #row() {
    const box = h('input', {type: 'checkbox', testid: 'pick'})
    const line = h('li.letter', h('label.pick', box), h('div.letter-what', h('b'), h('a.letter-about'), h('span.letter-when')), h('div.letter-why', h('b'), h('p'), h('a.letter-map')),
      h('button.quiet', {type: 'button', testid: 'again'}, t('erp.again')), h('ul.letter-behind', {hidden: true}))
    box.onchange = () => {
      if (box.checked) this.#chosen.add(line.letter.id)
      else this.#chosen.delete(line.letter.id)
      this.#count(this.dataset.busy)
    }
    line.children[3].onclick = () => this.#send('again', [line.letter])
    return line
  }

  #fill(line, letter) {
    const [pick, what, why, again, behind] = line.children
    const [kind, about, when] = what.children
    line.letter = letter
    line.dataset.testid = `letter-${letter.id}`
    pick.firstChild.checked = this.#chosen.has(letter.id)
    pick.firstChild.ariaLabel = t('erp.one', {about: letter.about})
    put(kind, kindWord(letter.kind === 'post' ? `post ${letter.payload?.kind ?? ''}` : letter.kind, t))
    put(about, letter.about)
    about.href = this.open(letter.about)
    put(when, [dayClock(letter.finished_at ?? letter.written_at, this.zone), t('erp.attempts', {n: number(letter.attempts)}), dueText(letter, this.zone)].filter(Boolean).join(' · '))
    const [headline, words, map] = why.children
    put(headline, letter.headline ? say(letter.headline) : '')
    put(words, letter.reason || '—')
    const where = this.maps ? mendedAt(letter) : ''
    map.hidden = !where
    map.href = where
    put(map, letter.mapping?.field ? t('erp.to-map.field', {field: letter.mapping.field}) : t('erp.to-map'))
    const held = letter.behind ?? []
    behind.hidden = !held.length
    behind.dataset.testid = `behind-${letter.id}`
    behind.replaceChildren(...(held.length ? [h('li.letter-held', t('erp.held', {n: held.length})), ...held.map(step => h('li', {testid: `held-${step.id}`}, [kindWord(step.kind, t), stepWord(step), dayClock(step.written_at, this.zone)].filter(Boolean).join(' · ')))] : []))
    again.disabled = Boolean(this.dataset.busy)
  }

  #send(name, letters, more = {}) {
    this.dispatchEvent(new CustomEvent(name, {detail: {letters, ...more}, bubbles: true}))
  }

  #picked() {
    return this.#letters.filter(letter => this.#chosen.has(letter.id))
  }

  #build() {
    const p = {
      all: h('input', {type: 'checkbox', testid: 'pick-all'}), again: h('button.quiet', {type: 'button', testid: 'again-chosen'}),
      reason: h('input', {maxLength: 500, placeholder: t('erp.aside.why'), ariaLabel: t('erp.aside.why'), testid: 'aside-reason'}),
      aside: h('button.quiet', {type: 'submit', testid: 'aside-chosen'}), rows: h('ul.letters'), none: h('p.table-empty'), result: h('p.letters-result', {role: 'status', testid: 'letters-result'}),
    }
    p.all.onchange = () => {
      this.#chosen = new Set(p.all.checked ? this.#letters.map(letter => letter.id) : [])
      for (const line of p.rows.children) line.querySelector('.pick input').checked = p.all.checked
      this.#count(this.dataset.busy)
    }
    p.again.onclick = () => this.#send('again', this.#picked())
    p.bar = h('form.letters-bar', h('label.pick.all', p.all, h('span', t('erp.all'))), p.again, p.reason, p.aside)
    p.bar.onsubmit = event => {
      event.preventDefault()
      const reason = p.reason.value.trim()
      if (!reason) {
        put(p.result, t('erp.aside.needs'))
        p.reason.focus()
      } else this.#send('aside', this.#picked(), {reason})
    }
    this.replaceChildren(p.bar, p.result, p.rows, p.none)
    return p
  }

  /** After it was done: nothing is chosen and the reason is not said twice. */
  rest() {
    this.#chosen.clear()
    if (this.#parts) this.#parts.reason.value = ''
  }
}

/** "Repairing": how the ticket stood after this step. */
function stepWord({payload}) {
  return payload?.state ? t(`ticket.state.${payload.state}`) : ''
}

function dueText(letter, zone) {
  if (letter.state === 'claimed') return t('erp.now')
  return letter.state === 'waiting' && letter.due_at ? t('erp.due', {at: dayClock(letter.due_at, zone)}) : ''
}

customElements.define('andon-letters', LetterList)
