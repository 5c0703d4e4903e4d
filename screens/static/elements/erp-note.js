import {h, mark, put} from '../lib/dom.js'
import {age, dayClock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {addressOf, standingText} from '../lib/erp.js'

/** The ERP's number of a ticket and how it stands there. `linked`: with the way to the messages about it. */
export class ErpNote extends HTMLElement {
  #parts

  show({ticket, erp, now, zone, linked = false}) {
    this.#parts ??= this.#build()
    const {number, standing, link} = this.#parts
    const found = standingText(told(erp), {t, ago: iso => age((now - Date.parse(iso)) / 1000, t), at: iso => dayClock(iso, zone)})
    put(number, ticket.erp_number ? `${t('ticket.erp')} ${ticket.erp_number}` : found.text ? '' : t('ticket.erp.none'))
    put(standing, found.text)
    mark(this, 'bad', found.bad ? 'yes' : '')
    link.hidden = !linked
    link.href = addressOf(ticket.id)
  }

  #build() {
    const parts = {number: h('b', {testid: 'erp-number'}), standing: h('span', {testid: 'erp-standing'}), link: h('a.quiet', {testid: 'erp-messages'}, t('erp.messages'))}
    this.replaceChildren(parts.number, parts.standing, parts.link)
    return parts
  }
}

/** A refusal in the reader's language, with the ERP's own words behind it. */
function told(erp) {
  return erp?.headline ? {...erp, reason: [say(erp.headline), erp.reason].filter(Boolean).join(' — ')} : erp
}

customElements.define('andon-erp-note', ErpNote)
