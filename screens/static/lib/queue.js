/**
 * What a person has done on this phone and the hub has not heard yet.
 *
 * Actions are kept on a shelf before they are sent, carry the time at which the person pressed the button
 * (`at`), and leave in the order in which they were made. A passing trouble keeps them; a refusal turns them into a
 * conflict that stays until the person has read it. An action is sent only in the name of whoever did it.
 *
 * `shelf`: async all(), put(item), remove(id). `send(item)`: promise; rejects with ApiError.
 */
export class Queue {
  #shelf
  #send
  #onChange
  #sending = null

  constructor({shelf, send, onChange = () => {}}) {
    this.#shelf = shelf
    this.#send = send
    this.#onChange = onChange
    this.items = []
  }

  async open() {
    this.items = (await this.#shelf.all()).sort((a, b) => a.id - b.id)
    this.#onChange(this.items)
  }

  /** Keeps the action and answers once it is safe on this phone; sending is `flush`. */
  async add(action) {
    const id = Math.max(0, ...this.items.map(item => item.id)) + 1
    const item = {...action, id, conflict: null}
    await this.#shelf.put(item)
    this.items = [...this.items, item]
    this.#onChange(this.items)
    return item
  }

  async dismiss(id) {
    await this.#shelf.remove(id)
    this.items = this.items.filter(item => item.id !== id)
    this.#onChange(this.items)
  }

  /** Sends what can be sent, as `person`. Answers '' when nothing waits any more, else why: offline | login. */
  flush(person) {
    this.#sending ??= this.#flush(person).finally(() => (this.#sending = null))
    return this.#sending
  }

  async #flush(person) {
    const stuck = new Set()
    for (;;) {
      const item = this.items.find(i => !i.conflict && i.person === person && !stuck.has(i.ticket))
      if (!item) return ''
      try {
        await this.#send(item)
        await this.dismiss(item.id)
      } catch (error) {
        if (error.status === 401) return 'login'
        if (error.isPassing ?? true) return 'offline'
        await this.#refused(item, error)
        stuck.add(item.ticket) // what follows on this ticket was built on the refused step
      }
    }
  }

  async #refused(item, error) {
    const conflict = {code: error.code, text: error.text}
    const told = {...item, conflict}
    await this.#shelf.put(told)
    this.items = this.items.map(i => (i.id === item.id ? told : i))
    this.#onChange(this.items)
  }
}
