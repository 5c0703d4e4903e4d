import {h, keyed, put} from '../lib/dom.js'
import {dayClock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import './sure-button.js'

/** Links by which a customer looks at one order. Sends `share`, and `revoke` with a link's id. A fresh address is shown once. */
export class ShareLinks extends HTMLElement {
  #parts

  show({links = [], fresh = '', zone, busy = false, trouble = ''}) {
    this.#parts ??= this.#build()
    const p = this.#parts
    p.make.disabled = busy
    p.fresh.hidden = !fresh
    if (p.address.value !== fresh) p.address.value = fresh
    put(p.trouble, trouble)
    keyed(p.list, links, link => link.id, () => row(this), (line, link) => fill(line, link, zone))
  }

  #build() {
    const parts = {list: h('ul.share-list'), trouble: h('p.trouble', {role: 'alert'}), address: h('input', {readOnly: true, ariaLabel: t('share.address'), testid: 'share-address'})}
    parts.make = h('button.button', {type: 'button', testid: 'share', onclick: () => this.dispatchEvent(new CustomEvent('share', {bubbles: true}))}, t('share.make'))
    parts.copy = h('button.plain', {type: 'button', testid: 'share-copy', onclick: () => copy(parts)}, t('share.copy'))
    parts.fresh = h('div.share-fresh', {hidden: true}, h('p', t('share.once')), parts.address, parts.copy)
    this.replaceChildren(h('h2', t('share.title')), h('p.table-empty', t('share.what')), parts.make, parts.fresh, parts.trouble, parts.list)
    return parts
  }
}

function row(owner) {
  const line = h('li', h('span'))
  const revoke = h('andon-sure')
  revoke.setup(t('share.revoke'), 'share-revoke')
  revoke.addEventListener('sure', () => owner.dispatchEvent(new CustomEvent('revoke', {detail: line.link.id, bubbles: true})))
  line.append(revoke)
  return line
}

function fill(line, link, zone) {
  line.link = link
  const seen = link.seen_at ? t('share.seen', {at: dayClock(link.seen_at, zone)}) : t('share.not-seen')
  put(line.firstChild, t('share.line', {who: say(link.made_by.name) || link.made_by.id, at: dayClock(link.made_at, zone), until: dayClock(link.expires_at, zone), seen}))
}

/** By the browser's clipboard where the page is allowed to, else the text is marked for the thumb. */
async function copy({address, copy: button}) {
  address.select()
  try {
    await navigator.clipboard.writeText(address.value)
    put(button, t('share.copied'))
  } catch {
    document.execCommand?.('copy')
  }
}

customElements.define('andon-share', ShareLinks)
