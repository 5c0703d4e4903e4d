/**
 * What a page knows: the newest board, how the feed stands, and what time it is at the hub.
 *
 * Ages are told on the hub's clock, carried on by our monotonic one: a wall computer with a wrong clock
 * shows right ages, and a frozen feed goes on ageing.
 */
export class Store {
  #clock
  #listeners = new Set()
  #ahead = null

  constructor(clock) {
    this.#clock = clock
    this.board = null
    this.status = 'connecting'
    this.why = '' // why we may not see the board: the hub's code
    this.heardAt = null // hub time of the last word
  }

  /** Milliseconds since 1970 at the hub; our own clock until the hub has spoken. */
  now() {
    return this.#ahead === null ? this.#clock.wall() : this.#ahead + this.#clock.now()
  }

  take(board, at) {
    const told = Date.parse(at)
    if (!Number.isNaN(told)) {
      this.#ahead = told - this.#clock.now()
      this.heardAt = told
    } else {
      this.heardAt = this.now() // polled from a hub that does not stamp its answer
    }
    if (board === this.board) return
    this.board = board
    this.#tell()
  }

  become(status, why = '') {
    this.status = status
    this.why = why
    this.#tell()
  }

  /** Seconds since the hub last said anything; null when it never has. */
  silence() {
    return this.heardAt === null ? null : Math.max(0, (this.now() - this.heardAt) / 1000)
  }

  subscribe(listener) {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tell() {
    for (const listener of this.#listeners) listener(this)
  }
}
