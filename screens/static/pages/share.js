import {say, t} from '../lib/i18n.js'

const SHARERS = new Set(['sales', 'planner', 'manager', 'admin'])
export const mayShare = person => (person?.roles ?? []).some(role => SHARERS.has(role))

/** The links of the order that is open. A fresh address is forgotten with the page it was shown on. */
export function shareOf({api, changed}) {
  const state = {number: '', links: [], fresh: '', busy: false, trouble: ''}
  const path = () => `/api/orders/${encodeURIComponent(state.number)}/links`

  async function wish(work) {
    if (state.busy) return
    const {number} = state
    Object.assign(state, {busy: true, trouble: ''})
    changed()
    try {
      await work()
      const {links} = await api.get(path())
      if (state.number === number) state.links = links
    } catch (error) {
      if (error.status === undefined) throw error // a bug of ours, not an answer
      // an order that is somebody else's customer's has no links for us
      if (error.status !== 404) state.trouble = say(error.text) || t(error.status === 0 ? 'error.unreachable' : 'error.unknown', {status: error.status, id: error.id || '—'})
    } finally {
      state.busy = false
    }
    changed()
  }

  return {
    state,
    open(number) {
      if (state.number === number) return
      Object.assign(state, {number, links: [], fresh: '', trouble: '', busy: false})
      if (number) wish(async () => {})
    },
    share: () => wish(async () => {
      const made = await api.post(path())
      state.fresh = made.url.startsWith('http') ? made.url : new URL(made.path, location.origin).href
    }),
    revoke: id => wish(async () => {
      await api.remove(`/api/order-links/${id}`)
      state.fresh = ''
    }),
  }
}
