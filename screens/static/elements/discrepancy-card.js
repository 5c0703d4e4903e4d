import {h, mark, put} from '../lib/dom.js'
import {dayClock, since} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import './sure-button.js'

/** One discrepancy: both claims, where they part, and what may be done. Sends `mend`, `aside` with a reason, and `back`. */
export class DiscrepancyCard extends HTMLElement {
  #parts
  #of = null

  show({found, now, zone, busy = false}) {
    this.#parts ??= this.#build()
    const p = this.#parts
    if (this.#of !== found.id) {
      this.#of = found.id
      p.reason.value = ''
      p.mend.setup(say(found.repair_title), 'reconcile-mend')
    }
    put(p.title, `${found.subject} · ${say(found.title)}`)
    put(p.facts, [say(found.where), ownerOf(found), since(found.first_seen, now, zone, t)].filter(Boolean).join(' · '))
    put(p.ours, valueOf(found.ours, zone))
    put(p.theirs, valueOf(found.theirs, zone))
    put(p.why, [say(found.why), found.first && dayClock(found.first.at, zone)].filter(Boolean).join(' · '))
    put(p.repair, repairLine(found, zone))
    put(p.put, found.aside ? [t('reconcile.aside'), say(found.aside.by?.name), dayClock(found.aside.at, zone), found.aside.reason].filter(Boolean).join(' · ') : '')
    const open = !found.repair_state || found.repair_state === 'failed' || found.repair_state === 'in-vain'
    p.mend.hidden = !(found.may && found.repair && open)
    p.mend.button.disabled = busy
    put(p.person, found.repair ? '' : say(found.repair_title))
    p.form.hidden = !found.may || Boolean(found.aside)
    p.back.hidden = !found.may || !found.aside
    mark(this, 'state', found.repair_state)
  }

  #send(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail, bubbles: true}))
  }

  #build() {
    const p = {
      title: h('b.desk-title', {testid: 'reconcile-title'}), facts: h('p.desk-facts'), ours: h('dd'), theirs: h('dd'), why: h('p'), person: h('p'),
      repair: h('p', {role: 'status', testid: 'reconcile-result'}), put: h('p'), mend: document.createElement('andon-sure'),
      reason: h('input', {required: true, maxLength: 500, testid: 'reconcile-reason'}),
      back: h('button.quiet', {type: 'button', onclick: () => this.#send('back')}, t('reconcile.back')),
    }
    p.mend.addEventListener('sure', () => this.#send('mend'))
    p.form = h('form.desk-why', h('label.field', h('span', t('wish.reason')), p.reason),
      h('div.desk-buttons', h('button.quiet', {type: 'submit', testid: 'reconcile-aside'}, t('reconcile.put-aside'))))
    p.form.onsubmit = event => {
      event.preventDefault()
      const reason = p.reason.value.trim()
      if (reason) this.#send('aside', reason)
    }
    const sides = h('dl.sides', h('div', h('dt', t('column.ours')), p.ours), h('div', h('dt', t('column.theirs')), p.theirs))
    this.replaceChildren(p.title, p.facts, sides, p.why, p.person, p.repair, p.mend, p.put, p.back, p.form)
    return p
  }
}

/** An instant among the claims is told by the plant's clock. */
export function valueOf(words, zone) {
  const text = say(words)
  return /^\d{4}-\d\d-\d\dT.*Z$/.test(text) ? dayClock(text, zone) : text
}

/** A role in our words, or the person's name. */
export function ownerOf({owner}) {
  return owner?.role ? t(`role.${owner.role}`) : say(owner?.name) || '—'
}

export function repairLine(found, zone) {
  if (!found.repair_state) return ''
  const result = t(`reconcile.result.${found.repair_result}`)
  const told = found.repair_result && result === `reconcile.result.${found.repair_result}` ? found.repair_result : found.repair_result && result
  return [t(`reconcile.repair.${found.repair_state}`), told, say(found.repaired_by?.name), found.repaired_at && dayClock(found.repaired_at, zone)]
    .filter(Boolean).join(' · ')
}

customElements.define('andon-discrepancy', DiscrepancyCard)
