import {difference} from '../lib/difference.js'
import {documentWord, fieldWord, kindWord, valueWord} from '../lib/erp.js'
import {h, keyed, mark, put} from '../lib/dom.js'
import {dayClock, fullClock, number} from '../lib/format.js'
import {t} from '../lib/i18n.js'
import {putIcon} from '../lib/icons.js'

const SIGNS = {done: 'check', adopted: 'check', taken: 'check', skipped: 'low', deferred: 'clock', refused: 'fault'}

/** The ledger of messages: each unfolds into what it has changed. */
export class ExchangeList extends HTMLElement {
  #parts

  show({exchanges, zone, empty}) {
    this.#parts ??= this.#build()
    this.zone = zone
    keyed(this.#parts.rows, exchanges, one => one.id, () => this.#row(), (line, one) => this.#fill(line, one))
    put(this.#parts.none, exchanges.length ? '' : empty)
  }

  #row() {
    const line = h('details.exchange', h('summary', h('time'), h('span.exchange-way'), h('b'), h('span.exchange-of'), h('span.exchange-number'), h('span.chip-state', h('span'), h('span')), h('span.exchange-span')), h('div.exchange-more'))
    line.ontoggle = () => line.open && this.#unfold(line)
    return line
  }

  #fill(line, one) {
    const fresh = line.one?.id !== one.id
    line.one = one
    line.dataset.testid = `exchange-${one.id}`
    if (!fresh) return // what was said stays said
    const [at, way, what, document, erpNumber, outcome, span] = line.firstChild.children
    put(at, dayClock(one.at, this.zone))
    at.title = fullClock(one.at, this.zone)
    put(way, one.direction === 'in' ? '←' : '→')
    way.title = t(`erp.direction.${one.direction}`)
    put(what, kindWord(one.subject, t))
    put(document, documentWord(one.document))
    document.title = one.document
    put(erpNumber, one.erp_number ?? '')
    putIcon(outcome.firstChild, SIGNS[one.outcome] ?? 'low')
    put(outcome.lastChild, t(`erp.outcome.${one.outcome}`))
    mark(outcome, 'state', one.outcome === 'refused' ? 'fault' : one.outcome === 'deferred' ? 'held' : 'executing')
    put(span, one.seconds ? t('erp.seconds', {n: number(one.seconds, one.seconds < 10 ? 1 : 0)}) : '')
  }

  #unfold({one, lastChild: more}) {
    if (more.children.length) return
    const {rows, same} = difference(one.before, one.after)
    const told = (name, value) => valueWord(name, value, t, iso => dayClock(iso, this.zone))
    const line = ({name, before, after, kind}) => h('tr', {data: {kind}}, h('th', {scope: 'row', title: name}, fieldWord(name, t)),
      h('td.was', before ? h('del', told(name, before)) : ''), h('td.is', after ? h('ins', told(name, after)) : ''))
    const rest = same.length ? h('details.unchanged', h('summary', t('erp.same', {n: same.length})), h('dl', ...same.flatMap(({name, after}) => [h('dt', fieldWord(name, t)), h('dd', told(name, after))]))) : ''
    more.replaceChildren(one.reason ? h('p.letter-why', one.reason) : '', rows.length ? h('table.difference', h('tbody', ...rows.map(line))) : h('p', t('erp.nothing')), rest)
  }

  #build() {
    const parts = {rows: h('div.exchanges'), none: h('p.table-empty')}
    this.replaceChildren(parts.rows, parts.none)
    return parts
  }
}

customElements.define('andon-exchanges', ExchangeList)
