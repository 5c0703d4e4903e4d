import {putAside} from '../lib/alarm.js'
import {h, mark, put} from '../lib/dom.js'
import {age, clock, fitScale, labelled, number} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'

const ROOM = {alarm: 15.2, handled: 19} // ems that the title line holds at its full size

/** The top of a wall: is anything wrong now? Takes what lib/board.js `wrongNow` found. */
export class AndonBand extends HTMLElement {
  #parts
  #shown
  #arrived = null

  /** `plan` is lib/board.js `planOf`: told at this size while nothing is wrong. */
  set scene({found, board, now, zone, plan}) {
    this.#parts ??= this.#build()
    mark(this, 'kind', found.kind)
    mark(this, 'priority', found.kind === 'returned' ? '' : found.alarm?.priority)
    if (found.kind === 'returned') this.#returned(found, now, zone)
    else if (found.alarm) this.#alarm(found, board, now, zone)
    else this.#calm(found, board, now, zone)
    this.#plan(found.kind === 'calm' || found.kind === 'returned' ? plan : null)
  }

  #plan(plan) {
    const {plan: list, lines, late} = this.#parts
    list.hidden = !plan?.of
    if (!plan) return
    put(lines, `${plan.lines}/${plan.of}`)
    mark(lines, 'bad', plan.lines < plan.of ? 'yes' : '')
    put(late, plan.late)
    mark(late, 'bad', plan.late ? 'yes' : '')
  }

  set loading(text) {
    this.#parts ??= this.#build()
    mark(this, 'kind', 'loading')
    mark(this, 'priority', '')
    this.#plan(null)
    this.#say('clock', '', text, [])
  }

  #alarm({alarm, more, kind}, board, now, zone) {
    const live = board.machines?.[alarm.equipment]?.values?.[alarm.subject]
    const who = alarm.owner?.name ? say(alarm.owner.name) : t('alarm.nobody')
    this.#say(alarm.priority, t(kind === 'alarm' ? `priority.${alarm.priority}` : `alarm.state.${alarm.state}`), `${say(alarm.where)} ${say(alarm.title)}`, [
      reading(alarm, live),
      lasting(alarm, now, zone),
      labelled(t(alarm.acked_by ? 'band.handled-by' : 'band.duty'), who),
      alarm.blind ? t('alarm.blind') : '',
      more > 0 ? t('band.more', {n: more}) : '',
    ])
    this.#pulse(alarm.id)
  }

  /** Over, but nobody has said that they saw it: quiet, because nothing is wrong any more. */
  #returned({alarm, more, ...found}, now, zone) {
    this.#say('check', '', t('band.returned'), [`${say(alarm.where)} ${say(alarm.title)}`, lasting(alarm, now, zone),
      more > 0 ? t('band.more', {n: more}) : '', ...doubtsOf(found)])
    this.#shown = null
  }

  #calm(found, board, now, zone) {
    const last = board.last_calm_since
    const quiet = last ? t('band.calm-since', {age: age((now - Date.parse(last)) / 1000, t), at: clock(last, zone)}) : ''
    const aside = putAside(board).length
    const doubtful = found.kind === 'doubt'
    this.#say(doubtful ? 'unknown' : 'check', '', t(found.nothing ? 'band.nothing' : doubtful ? 'band.doubt' : 'band.calm'), [...doubtsOf(found), aside ? t('aside.count', {n: aside}) : '', found.nothing ? '' : quiet])
    this.#shown = null
  }

  #say(symbol, word, title, facts) {
    const {sign, wordText, head, line} = this.#parts
    putIcon(sign, symbol)
    put(wordText, word)
    put(head, title)
    head.style.setProperty('--fit', fitScale(title, (this.dataset.priority === 'low' ? 24 : ROOM[this.dataset.kind]) ?? 20, 0.55))
    const told = facts.filter(Boolean)
    while (line.children.length > told.length) line.lastChild.remove()
    while (line.children.length < told.length) line.append(h('span'))
    told.forEach((fact, i) => put(line.children[i], fact))
    line.style.setProperty('--fit', fitScale(told.join('中'), this.dataset.kind === 'alarm' || this.dataset.kind === 'handled' ? 44 : 33, 0.75))
  }

  #pulse(id) {
    if (this.#shown === id) return
    this.#shown = id
    clearTimeout(this.#arrived)
    this.dataset.fresh = 'yes' // one soft pulse for what is new
    this.#arrived = setTimeout(() => delete this.dataset.fresh, 1600)
  }

  #build() {
    const sign = h('span.band-sign')
    const wordText = h('span.band-word')
    const head = h('h1.band-title')
    const line = h('p.band-facts')
    this.setAttribute('role', 'alert')
    const [lines, late] = [h('dd', {testid: 'plan-lines'}), h('dd', {testid: 'plan-late'})]
    const plan = h('dl.band-plan', {hidden: true}, h('div', h('dt', t('plan.lines')), lines), h('div', h('dt', t('plan.late')), late))
    this.replaceChildren(h('div.band-mark', sign, wordText), h('div.band-text', head, line), plan)
    return {sign, wordText, head, line, plan, lines, late}
  }
}

const doubtsOf = found => [
  found.lost ? t('band.lost-sources', {n: found.lost}) : '',
  found.unknown ? t('band.unknown-machines', {n: found.unknown}) : '',
]

/** "已持续 2 分钟", after an hour with the clock: "20:45 起，已 2 小时 14 分". */
function lasting(alarm, now, zone) {
  const at = clock(alarm.raised_at, zone)
  const told = age((now - Date.parse(alarm.raised_at)) / 1000, t)
  if (alarm.state === 'rtn-unacked') return t('band.was', {at, age: told})
  return t(now - Date.parse(alarm.raised_at) < 3_600_000 ? 'band.since' : 'band.since-clock', {at, age: told})
}

function reading(alarm, live) {
  if (typeof alarm.value !== 'number' || (typeof alarm.limit !== 'number' && !alarm.unit)) return '' // a code, no measure
  const decimals = live?.decimals ?? 1
  const unit = alarm.unit ? ` ${alarm.unit}` : ''
  if (typeof alarm.limit !== 'number') return `${number(alarm.value, decimals)}${unit}`
  const sign = alarm.value < alarm.limit ? '<' : '>'
  const limit = number(alarm.limit, Number.isInteger(alarm.limit) ? 0 : decimals)
  const seen = `${number(alarm.value, decimals)}${unit} ${sign} ${limit}${unit}`
  return typeof live?.value === 'number' && live.status !== 'bad'
    ? `${seen} · ${t('band.now', {value: `${number(live.value, decimals)}${unit}`})}` : seen
}

customElements.define('andon-band', AndonBand)
