import {mergePatch} from './merge.js'

/** After so many ms without a word from the hub the page must say that it is deaf. */
export const QUIET_LIMIT = 4000
/** How often the board is fetched while no WebSocket can be had; below QUIET_LIMIT on purpose. */
export const POLL_EVERY = 2000
const WATCH_EVERY = 250
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 15000

/**
 * Keeps one board up to date. Snapshot, then patches in unbroken sequence; a gap means: start over.
 *
 * `status` is one of connecting, live (WebSocket), polling (HTTP only), lost, denied.
 * `connect()` gives a WebSocket; `poll()` a promise of the board, rejected with {status: 401|403} when we
 * may not see it. `onBoard(board, at)` and `onStatus(status)` are told of every change.
 */
export class Feed {
  #parts
  #socket = null
  #seq = null
  #heardAt
  #socketHeardAt
  #tries = 0
  #polling = false
  #cancelWatch = () => {}
  #cancelRetry = () => {}
  #cancelPoll = () => {}

  constructor({connect, poll, clock, onBoard, onStatus, random = Math.random}) {
    this.#parts = {connect, poll, clock, onBoard, onStatus, random}
    this.board = null
    this.status = 'connecting'
    this.#heardAt = clock.now()
  }

  start() {
    this.#watch()
    this.#open()
  }

  stop() {
    this.#cancelWatch()
    this.#cancelRetry()
    this.#cancelPoll()
    this.#drop()
  }

  /** Try at once: the page came back to the front, or the network did. */
  nudge() {
    if (this.status === 'live') return
    this.#tries = 0
    this.#cancelRetry()
    this.#open()
  }

  #open() {
    this.#drop()
    this.#seq = null
    let socket
    try {
      socket = this.#parts.connect()
    } catch {
      return this.#failed() // the address itself is refused, e.g. ws: from an https: page
    }
    this.#socket = socket
    this.#socketHeardAt = this.#parts.clock.now()
    socket.onmessage = event => socket === this.#socket && this.#take(event.data)
    socket.onclose = () => socket === this.#socket && this.#failed()
    socket.onerror = () => {} // a close follows
  }

  #take(text) {
    let frame
    try {
      frame = JSON.parse(text)
    } catch {
      return this.#failed()
    }
    this.#heard()
    this.#socketHeardAt = this.#heardAt
    if (frame.type === 'snapshot') this.#show(frame.board, frame)
    else if (frame.type === 'patch') {
      if (this.#seq === null || frame.seq !== this.#seq + 1) return this.#failed()
      this.#show(mergePatch(this.board, frame.board), frame)
    } else if (frame.type === 'heartbeat') {
      if (this.#seq !== null && frame.seq !== this.#seq) return this.#failed()
      this.#tries = 0
      this.#parts.onBoard(this.board, frame.at)
    }
    if (this.#seq !== null) this.#become('live')
  }

  #show(board, {seq, at}) {
    this.board = board
    this.#seq = seq
    this.#cancelPoll()
    this.#polling = false
    this.#parts.onBoard(board, at)
  }

  #heard() {
    this.#heardAt = this.#parts.clock.now()
  }

  #failed() {
    this.#drop()
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#tries++)
    this.#cancelRetry()
    this.#cancelRetry = this.#parts.clock.after(pause * (0.75 + this.#parts.random() / 2), () => this.#open())
    if (!this.#polling) this.#poll()
  }

  async #poll() {
    this.#polling = true
    this.#cancelPoll()
    try {
      const {board, at} = await this.#parts.poll()
      if (!this.#polling) return // a snapshot was faster
      this.board = board
      this.#heard()
      this.#become('polling')
      this.#parts.onBoard(board, at)
    } catch (error) {
      if (!this.#polling) return
      if (error?.status === 401 || error?.status === 403) {
        this.#heard()
        this.#become('denied', error.code)
      }
    }
    this.#cancelPoll = this.#parts.clock.after(POLL_EVERY, () => this.#poll())
  }

  #watch() {
    const now = this.#parts.clock.now()
    if (now - this.#heardAt >= QUIET_LIMIT) this.#become('lost')
    if (this.#socket && now - this.#socketHeardAt >= QUIET_LIMIT) this.#failed() // half-open: no close will come
    this.#cancelWatch = this.#parts.clock.after(WATCH_EVERY, () => this.#watch())
  }

  #drop() {
    const socket = this.#socket
    this.#socket = null
    socket?.close()
  }

  #become(status, why = '') {
    if (status === this.status) return
    this.status = status
    this.#parts.onStatus(status, why)
  }
}
