import {say, t} from '../lib/i18n.js'
import {newTap, owesReceipt, stage} from '../lib/rush.js'

const EVERY = {confirm: 15, made: 3, undone: 3, refused: 15, none: 15} // seconds between looks, by what is shown

/** Asks the hub about one order and does what its sheet wishes; `changed` is called when there is something new to draw. */
export function rushOf({api, person, now, changed}) {
  const state = {number: '', answer: null, busy: false, trouble: '', tap: '', seconds: 0}
  const path = () => `/api/orders/${encodeURIComponent(state.number)}/rush`

  async function ask(number = state.number) {
    try {
      const answer = await api.get(path())
      if (state.number === number && !state.busy) state.answer = answer
      if (owesReceipt(answer.rush, person)) await api.post(`${path()}/seen`).catch(() => {}) // asked again at the next look
    } catch (error) {
      if (error.status === undefined) throw error
      if (state.number === number && !state.answer) state.trouble = words(error)
    }
    changed()
  }

  /** One wish; whatever comes of it, the sheet then says how things stand. */
  async function wish(work) {
    if (state.busy) return
    Object.assign(state, {busy: true, trouble: ''})
    changed()
    try {
      await work()
    } catch (error) {
      if (error.status === undefined) throw error
      state.trouble = words(error)
    } finally {
      state.busy = false
    }
    await ask()
  }

  return {
    state,
    open(number) {
      if (state.number === number) return
      Object.assign(state, {number, answer: null, trouble: '', tap: newTap(now(), Math.random()), seconds: 0})
      if (number) ask()
    },
    tick() {
      if (state.number && ++state.seconds % EVERY[stage(state.answer ?? {})] === 0 && !state.busy) ask()
    },
    rush: ({reason}) => wish(async () => {
      await api.post(path(), {digest: state.answer.preview.digest, reason, tap: state.tap})
      state.tap = newTap(now(), Math.random())
    }),
    undo: () => wish(() => api.remove(path())),
  }
}

const words = error => say(error.text) || t(error.status === 0 ? 'error.unreachable' : 'error.unknown', {status: error.status, id: error.id || '—'})
