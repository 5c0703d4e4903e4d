import {h} from '../lib/dom.js'
import {clock} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'

/** What waits on this phone, what was refused, what went wrong: one strip each, never hidden behind a colour. */
export class AndonNotices extends HTMLElement {
  #shown = ''

  show({items, person, why, lasting, zone, online, trouble}) {
    const told = JSON.stringify([items.map(i => [i.id, i.conflict]), why, online, trouble])
    if (told === this.#shown) return
    this.#shown = told
    const waiting = items.filter(item => !item.conflict)
    const mine = waiting.filter(item => item.person === person?.id)
    const others = waiting.filter(item => item.person !== person?.id)
    this.replaceChildren(...[
      !online && strip('offline', t('phone.offline')),
      mine.length && strip('waiting', t(why === 'login' ? 'queue.login' : 'queue.waiting', {n: mine.length})),
      mine.length && !lasting && strip('offline', t('queue.forgetful')),
      others.length && strip('waiting', t('queue.other', {n: others.length, who: others[0].person})),
      ...items.filter(item => item.conflict).map(item => this.#conflict(item, zone)),
      trouble && strip('trouble', trouble),
    ].filter(Boolean))
  }

  #conflict(item, zone) {
    const button = h('button.plain', {type: 'button', onclick: () => this.dispatchEvent(new CustomEvent('understood', {detail: item.id, bubbles: true}))}, t('queue.understood'))
    const what = `${item.ticket} ${t(`verb.${item.verb}`)}`
    return strip('trouble', t('queue.conflict', {what, at: clock(item.at, zone)}), h('b', say(item.conflict.text) || item.conflict.code), button)
  }
}

const strip = (kind, ...children) => h('p.notice', {role: 'status', data: {kind, testid: `notice-${kind}`}}, ...children)

customElements.define('andon-notices', AndonNotices)
