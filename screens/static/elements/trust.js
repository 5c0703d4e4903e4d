import {lostSources, oldestAge} from '../lib/board.js'
import {h, mark, put} from '../lib/dom.js'
import {age, fullClock, number, shortAge, shorten} from '../lib/format.js'
import {say, t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'
import {partName} from '../lib/status.js'

const SLOW = 1 // seconds from sensor to screen at p99 that a shift leader should know about
const OLD = 30 // seconds

/** The foot of a wall: can I believe this? A moving second, the oldest number, lost sources, sensor-to-screen time. */
export class AndonTrust extends HTMLElement {
  #cells

  /** `store` for status and time; `scope` names the part of the plant, `at` is its path. */
  show(store, zone, scope = '', at = '') {
    this.#cells ??= this.#build()
    const board = store.board
    put(this.#cells.clock.figure, store.heardAt === null ? '--:--:--' : fullClock(store.now(), zone))
    this.#feed(store)
    for (const name of ['oldest', 'sources', 'latency', 'parts', 'outbox', 'books', 'plant']) this.#cells[name].box.hidden = !board
    if (!board) return
    put(this.#cells.plant.figure, [say(board.plant?.name), scope, board.shift ? say(board.shift.name) : ''].filter(Boolean).join(' · '))
    const oldest = oldestAge(board, store.now())
    this.#tell('oldest', oldest === null ? '—' : shortAge(oldest), oldest !== null && oldest > OLD)
    const lost = lostSources(board, at)
    this.#tell('sources', lost.length ? `${lost.length} · ${shorten(lost[0].name, 6)}` : '0', lost.length > 0)
    const {p50, p99} = board.health?.latency ?? {}
    this.#tell('latency', latency(p50, p99), p99 > SLOW)
    const known = new Set(lostSources(board).flatMap(({name}) => [`collector ${name}`, `mes ${name}`])) // told as sources already
    const down = (board.health?.parts_down ?? []).filter(name => !known.has(name))
    this.#tell('parts', down.length ? `${down.length} · ${shorten(partName(down[0], t), 6)}` : '0', down.length > 0)
    const waiting = board.health?.outbox_oldest ?? 0
    this.#tell('outbox', age(waiting, t), waiting > OLD)
    this.#cells.outbox.box.hidden = waiting <= OLD
    const differ = board.health?.discrepancies ?? 0
    const old = board.health?.books_old_since // the ERP could not be compared since: the count is not of today
    this.#tell('books', old ? t('trust.books.old', {n: number(differ), age: age((store.now() - Date.parse(old)) / 1000, t)}) : number(differ), differ > 0 || Boolean(old))
    this.#cells.books.box.hidden = !differ && !old
  }

  #feed(store) {
    const kind = store.status
    put(this.#cells.feed.figure, t(`feed.${kind}`))
    putIcon(this.#cells.feed.sign, kind === 'live' ? 'check' : kind === 'polling' ? 'clock' : 'unplugged')
    mark(this.#cells.feed.box, 'bad', kind !== 'live' ? 'yes' : '')
  }

  #tell(name, text, bad) {
    put(this.#cells[name].figure, text)
    mark(this.#cells[name].box, 'bad', bad ? 'yes' : '')
  }

  #build() {
    const cells = {}
    for (const name of ['clock', 'feed', 'oldest', 'sources', 'latency', 'parts', 'outbox', 'books', 'plant']) {
      const [sign, figure] = [h('span.trust-sign'), h('b')]
      const label = ['clock', 'feed', 'plant'].includes(name) ? '' : h('span', t(`trust.${name}`))
      cells[name] = {sign, figure, box: h('div.trust-cell', {data: {cell: name}}, sign, label, figure)}
    }
    this.replaceChildren(...Object.values(cells).map(cell => cell.box))
    return cells
  }
}

/** "142 / 418 ms": what half of the values take, and what one in a hundred exceeds. */
function latency(p50, p99) {
  if (typeof p50 === 'number' && typeof p99 === 'number' && p99 < 1) return `${number(p50 * 1000)} / ${seconds(p99)}`
  return `${seconds(p50)} / ${seconds(p99)}`
}

function seconds(span) {
  if (typeof span !== 'number') return '—'
  return span < 1 ? `${number(span * 1000)} ms` : `${number(span, 1)} s`
}

customElements.define('andon-trust', AndonTrust)
