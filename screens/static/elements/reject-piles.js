import {h, put} from '../lib/dom.js'
import {number} from '../lib/format.js'
import {t} from '../lib/i18n.js'

/** How many rejects there are, and what may be done with many: those that were picked, else all that match. Sends `replay`, `aside` with a reason, `more`. */
export class RejectPiles extends HTMLElement {
  #parts

  show({shown, count, picked, waiting}) {
    const p = (this.#parts ??= this.#build())
    put(p.count, t(waiting ? 'reject.pile.waiting' : 'reject.pile.count', {n: number(count), shown: number(shown)}))
    p.more.hidden = shown >= count
    p.acts.hidden = !waiting || !count
    const n = number(picked || count)
    put(p.replay, t(picked ? 'reject.pile.replay' : 'reject.pile.replay-all', {n}))
    put(p.aside, t(picked ? 'reject.pile.aside' : 'reject.pile.aside-all', {n}))
  }

  tell(text) {
    put(this.#parts.told, text)
  }

  #send(name, detail) {
    put(this.#parts.told, '')
    this.dispatchEvent(new CustomEvent(name, {detail, bubbles: true}))
  }

  #build() {
    const p = {
      count: h('b', {testid: 'reject-count'}), told: h('span', {role: 'status', testid: 'reject-many-told'}),
      more: h('button.quiet', {type: 'button', testid: 'reject-more', onclick: () => this.#send('more')}, t('reject.pile.more')),
      replay: h('button.quiet', {type: 'button', testid: 'reject-replay-many', onclick: () => this.#send('replay')}),
      reason: h('input', {required: true, maxLength: 500, placeholder: t('wish.reason'), ariaLabel: t('wish.reason'), testid: 'reject-many-reason'}),
      aside: h('button.quiet', {type: 'submit', testid: 'reject-aside-many'}),
    }
    const form = h('form', p.reason, p.aside)
    form.onsubmit = event => {
      event.preventDefault()
      const reason = p.reason.value.trim()
      if (!reason) return
      p.reason.value = ''
      this.#send('aside', reason)
    }
    p.acts = h('div.pile-acts', p.replay, form)
    this.replaceChildren(p.count, p.more, p.acts, p.told)
    return p
  }
}

customElements.define('andon-reject-piles', RejectPiles)
