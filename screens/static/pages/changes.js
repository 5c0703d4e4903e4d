import {unconfirmed} from '../lib/change.js'
import {say, t} from '../lib/i18n.js'

/** Says to the hub that the floor has seen a change, as it was read. `state`: what is under way, and what was answered, by the change's id. */
export function changesOf({api, changed}) {
  const state = {busy: new Set(), notes: new Map(), done: new Map()}

  async function confirm({id, at}) {
    if (state.busy.has(id)) return
    state.busy.add(id)
    state.notes.delete(id)
    changed()
    try {
      await api.post(`/api/order-changes/${id}/confirm`, {at})
      state.done.set(id, at)
    } catch (error) {
      if (error.status === undefined) throw error
      if (error.code === 'confirmed' || error.status === 404) state.done.set(id, at) // somebody was faster
      else state.notes.set(id, error.code === 'changed-again' ? t('change.again') : say(error.text) || t(error.status === 0 ? 'error.unreachable' : 'error.unknown', {status: error.status, id: error.id || '—'}))
    } finally {
      state.busy.delete(id)
      changed()
    }
  }

  /** What still has to be seen: the board tells of our own tap a moment later. */
  const waiting = board => unconfirmed(board).filter(({change}) => state.done.get(change.id) !== change.at)
  return {state, confirm, waiting}
}
