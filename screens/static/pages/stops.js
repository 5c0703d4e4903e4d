import {say, t} from '../lib/i18n.js'
import {keyOf, signature} from '../lib/stops.js'

const EVERY = 20 // seconds between looks while nothing was heard
const SOONEST = 2 // ... and after the board has said that something has changed

/** Asks the hub for the stops of a place and does what cards and sheets wish; `changed` when there is news to draw. */
export function stopsOf({api, place = '', changed}) {
  const state = {told: null, busy: '', trouble: ''}
  let seen = null
  let seconds = EVERY
  let asking = false

  async function ask() {
    if (asking) return
    asking = true
    seconds = 0
    try {
      state.told = await api.get(`/api/stops?limit=200${place ? `&place=${encodeURIComponent(place)}` : ''}`)
      if (!state.told.stops) throw Object.assign(new Error('no stops'), {status: 0})
    } catch (error) {
      if (error.status === undefined) throw error
      state.trouble = words(error)
    } finally {
      asking = false
    }
    changed()
  }

  /** What somebody else has changed meanwhile is said, and shown. */
  async function wish(what, stop, body) {
    if (state.busy) return
    Object.assign(state, {busy: keyOf(stop), trouble: ''})
    changed()
    try {
      const told = await api.post(`/api/stops/${what}`, {machine: stop.machine, at: stop.start, version: stop.version, ...body})
      state.told.stops = state.told.stops.map(s => (keyOf(s) === keyOf(stop) ? told.stop : s))
    } catch (error) {
      if (error.status === undefined) throw error
      state.trouble = words(error)
    } finally {
      state.busy = ''
    }
    changed()
    await ask()
  }

  return {
    state,
    /** Once a second while it is looked at. */
    tick(board) {
      seconds++
      const now = signature(board)
      const news = seen !== now
      if (seconds >= EVERY || (news && seconds >= SOONEST)) {
        seen = now
        ask()
      }
    },
    explain: ({stop, part, reason, note = ''}) => wish('reason', stop, {reason, note, ...(stop.parts.length > 1 ? {part: part.start} : {})}),
    split: ({stop, cut}) => wish('split', stop, {cut}),
    merge: ({stop, cut, keep}) => wish('merge', stop, {cut, keep}),
    calm: () => (state.trouble = ''),
  }
}

const words = error => say(error.text) || t(error.status === 0 ? 'error.unreachable' : 'error.unknown', {status: error.status, id: error.id || '—'})
