import {say, t} from '../lib/i18n.js'
import {newTap, owesReceipt, stage} from '../lib/rush.js'

const EVERY = {confirm: 15, made: 3, undone: 3, refused: 15, none: 15} // seconds between looks, by what is shown

/** Asks the hub about one order and does what its sheet wishes; `changed` is called when there is something new to draw. */
export function rushOf({api, person, now, changed}) {
  const state = {number: '', answer: null, busy: false, trouble: '', tap: '', seconds: 0, due: '', foreseen: ''}
  const path = () => `/api/orders/${encodeURIComponent(state.number)}/rush`

  async function ask(number = state.number) {
    try {
      const due = state.due
      const answer = await api.get(due ? `${path()}?due_at=${encodeURIComponent(due)}` : path())
      if (state.number === number && state.due === due && !state.busy) Object.assign(state, {answer, foreseen: due})
      if (owesReceipt(answer.rush, person)) await api.post(`${path()}/seen`).catch(() => {}) // asked again at the next look
    } catch (error) {
      if (error.status === undefined) throw error
      if (state.number === number && (!state.answer || state.due !== state.foreseen)) state.trouble = words(error)
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
      Object.assign(state, {number, answer: null, trouble: '', tap: newTap(now(), Math.random()), seconds: 0, due: '', foreseen: ''})
      if (number) ask()
    },
    /** Another due date, '' for the order's own: what a tap would do is foreseen anew. */
    foresee(due) {
      if (state.due === due) return
      Object.assign(state, {due, trouble: ''})
      changed()
      ask()
    },
    tick() {
      if (state.number && ++state.seconds % EVERY[stage(state.answer ?? {})] === 0 && !state.busy) ask()
    },
    rush: ({reason}) => wish(async () => {
      await api.post(path(), {digest: state.answer.preview.digest, reason, tap: state.tap, ...(state.due ? {due_at: state.due} : {})})
      Object.assign(state, {tap: newTap(now(), Math.random()), due: '', foreseen: ''})
    }),
    undo: () => wish(() => api.remove(path())),
  }
}

const words = error => say(error.text) || t(error.status === 0 ? 'error.unreachable' : 'error.unknown', {status: error.status, id: error.id || '—'})
