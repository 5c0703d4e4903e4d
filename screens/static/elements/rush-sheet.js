import {h, keyed, mark, put} from '../lib/dom.js'
import {age, dayClock, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {icon, putIcon} from '../lib/icons.js'
import {SHOWN, countdown, instantOf, left, localOf, mayRush, receipts, stage, summary} from '../lib/rush.js'

const SIGNS = {done: 'check', waiting: 'clock', failed: 'high'}
const span = minutes => age(Math.abs(minutes) * 60, t)

/**
 * One order and what a rush would do: who gains, who slips, then one button; afterwards the time left to undo it and
 * who was told. Sends `rush` with {reason}, `undo`, and `due` with the instant of another due date.
 */
export class RushSheet extends HTMLElement {
  #parts
  #of = ''
  #all = false

  show({order, answer, person, now, zone, due = '', foreseen = '', busy = false, trouble = ''}) {
    this.#parts ??= this.#build()
    const p = this.#parts
    if (this.#of !== order.number) this.#turn(order.number)
    this.dataset.testid = `rush-${order.number}`
    const found = answer ?? {}
    const now_ = stage(found)
    mark(this, 'stage', answer ? now_ : 'loading')
    put(p.number, order.number)
    put(p.what, `${say(order.product_name) || order.product || ''} ×${number(order.quantity)}`)
    put(p.facts, [order.customer, t('order.due', {at: dayClock(order.due_at, zone)})].filter(Boolean).join(' · '))
    p.rush.hidden = !order.rush
    put(p.loading, answer ? '' : t('rush.asking'))
    put(p.why, now_ === 'none' ? say(found.why_not?.text) : '')
    put(p.trouble, trouble)
    this.#preview(found.preview ?? (now_ === 'made' ? remembered(found.rush) : null), zone)
    this.#standing(found.rush, now_, now, zone)
    const allowed = mayRush(person)
    p.confirm.hidden = now_ !== 'confirm' || !allowed
    p.reason.parentElement.hidden = p.due.parentElement.hidden = p.confirm.hidden
    this.zone = zone
    this.now = now
    if (p.due !== document.activeElement) p.due.value = due ? localOf(due, zone) : ''
    p.due.min = localOf(new Date(now).toISOString(), zone)
    const rest = left(found.rush, now)
    p.undo.hidden = now_ === 'confirm' || !rest || !allowed
    p.actions.hidden = p.confirm.hidden && p.undo.hidden
    const late = Boolean(p.due.value) && !this.#due()
    put(p.dueTold, late ? t('rush.due.past') : due !== foreseen ? t('rush.asking') : due ? t('rush.due.was', {at: dayClock(order.due_at, zone)}) : '')
    mark(p.dueTold, 'bad', late ? 'yes' : '')
    p.undo.disabled = busy
    p.confirm.disabled = busy || late || due !== foreseen // what is confirmed is what was foreseen
    put(p.undoWord, t('rush.undo', {left: countdown(rest)}))
    put(p.rights, answer && !allowed && now_ === 'confirm' ? t('rush.not-yours') : '')
  }

  #turn(order) {
    this.#of = order
    this.#all = false
    this.#parts.reason.value = this.#parts.due.value = ''
  }

  /** The instant typed; '' for none, and for one that is over. */
  #due() {
    const at = instantOf(this.#parts.due.value, this.zone)
    return at && Date.parse(at) > this.now ? at : ''
  }

  #preview(preview, zone) {
    const p = this.#parts
    p.effect.hidden = !preview
    p.list.hidden = p.elsewhere.hidden = p.more.hidden = !preview
    if (!preview) return
    const {gain, slip, late, still} = summary(preview)
    const {winner, losers = [], elsewhere} = preview
    put(p.gain, gain ? t('rush.earlier', {age: span(gain)}) : t(gain === null ? 'rush.gain-unknown' : 'rush.no-gain'))
    put(p.gainTo, [ends(winner, zone), still ? t('rush.still-late', {age: span(still)}) : ''].filter(Boolean).join(' · '))
    mark(p.lossBox, 'loss', late ? 'late' : slip ? 'some' : 'none')
    putIcon(p.lossSign, late ? 'high' : slip ? 'clock' : 'check')
    put(p.loss, slip ? t('rush.slip', {n: slip}) : t('rush.no-slip'))
    put(p.lossLate, late ? t('rush.newly-late', {n: late}) : slip ? t('rush.none-late') : '')
    const shown = this.#all ? losers : losers.slice(0, SHOWN)
    keyed(p.list, shown, slipped => slipped.order, () => this.#row(), (row, slipped) => fill(row, slipped, zone))
    const hidden = losers.length - shown.length
    p.more.hidden = !hidden
    put(p.more, t('rush.more', {n: hidden}))
    p.more.onclick = () => {
      this.#all = true
      this.#preview(preview, zone)
    }
    put(p.elsewhere, elsewhere ? t('rush.elsewhere', {n: elsewhere.count, age: span(elsewhere.minutes)}) : '')
  }

  #row() {
    return h('li.slip', h('b'), h('span.slip-by'), h('span.slip-who'), h('span.slip-to'))
  }

  #standing(rush, now_, now, zone) {
    const p = this.#parts
    p.standing.hidden = !rush || now_ === 'confirm' && rush.state === 'undone' && now - Date.parse(rush.undone_at) > 3_600_000
    if (p.standing.hidden) return
    mark(p.standing, 'state', rush.state)
    putIcon(p.standingSign, {made: 'rush', undone: 'back', refused: 'high'}[rush.state])
    put(p.standingTitle, t(`rush.state.${rush.state}`))
    const who = rush.state === 'undone' ? [rush.undone_by, rush.undone_at] : [rush.by, rush.at]
    put(p.standingBy, [say(who[0]?.name), dayClock(who[1], zone), rush.reason].filter(Boolean).join(' · '))
    putIcon(p.erpSign, {done: 'check', waiting: 'clock', refused: 'high', none: 'off'}[rush.erp.state])
    put(p.erp, t(`rush.erp.${rush.erp.state}`, {reason: rush.erp.reason ?? ''}))
    keyed(p.told, receipts(rush), row => row.audience, () => h('li', h('span.told-sign'), h('span')), (line, row) => {
      mark(line, 'state', row.state)
      putIcon(line.children[0], SIGNS[row.state])
      const people = row.people.map(each => say(each.name) + (each.seen ? ` ${t('rush.seen')}` : '')).join(t('rush.and'))
      put(line.children[1], [`${t(`rush.audience.${row.audience}`)} ${people}`, t(`rush.told.${row.state}`, {at: row.at ? dayClock(row.at, zone) : '', reason: row.reason}),
        row.notifiers.join(' ')].filter(Boolean).join(' · '))
    })
  }

  #send(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail, bubbles: true}))
  }

  #build() {
    const p = {
      number: h('b.rush-number'), rush: h('span.rush-mark', icon('rush'), t('order.rush')), what: h('span.rush-what'), facts: h('p.rush-facts'),
      loading: h('p.none'), why: h('p.rush-why', {testid: 'rush-why'}), trouble: h('p.rush-trouble', {role: 'alert', testid: 'rush-trouble'}), rights: h('p.none'),
      gain: h('b', {testid: 'rush-gain'}), gainTo: h('small'), lossSign: h('span.effect-sign'), loss: h('b', {testid: 'rush-loss'}), lossLate: h('small', {testid: 'rush-late'}),
      list: h('ol.slips', {testid: 'slips'}), more: h('button.plain.slip-more', {type: 'button'}), elsewhere: h('p.none'),
      standingSign: h('span.effect-sign'), standingTitle: h('b', {testid: 'rush-state'}), standingBy: h('small'), erpSign: h('span.told-sign'), erp: h('span', {testid: 'rush-erp'}),
      told: h('ul.told', {testid: 'rush-told'}),
      reason: h('input', {maxLength: 500, placeholder: t('rush.reason.hint'), testid: 'rush-reason'}), undoWord: h('span'),
      due: h('input', {type: 'datetime-local', testid: 'rush-due'}), dueTold: h('small', {role: 'status', testid: 'rush-due-told'}),
    }
    p.due.onchange = () => this.#send('due', this.#due())
    p.confirm = h('button.button.big', {type: 'button', testid: 'rush-confirm', onclick: () => this.#send('rush', {reason: p.reason.value.trim()})}, icon('rush'), t('rush.confirm'))
    p.undo = h('button.button.big.rush-undo', {type: 'button', testid: 'rush-undo', onclick: () => this.#send('undo')}, icon('clock'), p.undoWord)
    p.lossBox = h('div.effect', {data: {kind: 'loss'}}, p.lossSign, p.loss, p.lossLate)
    p.effect = h('div.effects', h('div.effect', {data: {kind: 'gain'}}, h('span.effect-sign', icon('rush')), p.gain, p.gainTo), p.lossBox)
    p.standing = h('section.standing', h('div.effect', p.standingSign, p.standingTitle, p.standingBy), h('ul.told', h('li', p.erpSign, p.erp)), p.told)
    p.actions = h('div.thumb.rush-actions', h('label.field', h('span', t('rush.due')), p.due, p.dueTold), h('label.field', h('span', t('rush.reason')), p.reason), p.confirm, p.undo)
    this.replaceChildren(h('div.rush-head', p.number, p.rush, p.what), p.facts, p.trouble, p.loading, p.why, p.standing, p.effect, p.list, p.more,
      p.elsewhere, p.rights, p.actions)
    return p
  }
}

/** What was foreseen when it was tapped, as a preview. */
const remembered = ({gain, losers = []}) => ({winner: {minutes: -gain}, losers, newly_late: losers.filter(one => one.becomes_late).length})

const ends = (slipped, zone) => (slipped.from && slipped.to ? `${dayClock(slipped.from, zone)} → ${dayClock(slipped.to, zone)}` : slipped.to ? `→ ${dayClock(slipped.to, zone)}` : '')

function fill(row, slipped, zone) {
  const [order, by, who, to] = row.children
  row.dataset.testid = `slip-${slipped.order}`
  mark(row, 'late', slipped.becomes_late ? 'yes' : '')
  put(order, slipped.order)
  put(by, slipped.minutes ? `+${span(slipped.minutes)}` : t('rush.out-of-sight'))
  put(who, [slipped.customer, (slipped.sellers ?? []).map(seller => say(seller.name)).join(t('rush.and'))].filter(Boolean).join(' · '))
  put(to, [ends(slipped, zone), slipped.late_after ? t(slipped.becomes_late ? 'rush.becomes-late' : 'rush.later-still', {age: span(slipped.late_after)}) : ''].filter(Boolean).join(' · '))
}

customElements.define('andon-rush', RushSheet)
