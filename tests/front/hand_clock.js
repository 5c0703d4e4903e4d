/** A clock that stands still until a test turns it. */
export class HandClock {
  #now = 0
  #wall
  #waiting = []

  constructor(wall = Date.parse('2026-01-05T12:00:00Z')) {
    this.#wall = wall
  }

  now = () => this.#now
  wall = () => this.#wall + this.#now

  after(ms, act) {
    const entry = {at: this.#now + ms, act}
    this.#waiting.push(entry)
    return () => (this.#waiting = this.#waiting.filter(other => other !== entry))
  }

  /** Lets time pass; whoever is due acts in order, and promises settle in between. */
  async turn(ms) {
    const end = this.#now + ms
    for (;;) {
      await settle()
      const [next] = this.#waiting.filter(entry => entry.at <= end).sort((a, b) => a.at - b.at)
      if (!next) break
      this.#now = Math.max(this.#now, next.at)
      this.#waiting = this.#waiting.filter(entry => entry !== next)
      next.act()
    }
    this.#now = end
    await settle()
  }
}

export const settle = () => new Promise(resolve => setImmediate(resolve))
