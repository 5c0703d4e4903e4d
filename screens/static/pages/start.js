import {Api} from '../lib/api.js'
import {browserClock} from '../lib/clock.js'
import {Feed} from '../lib/feed.js'
import {chooseLanguage, loadLanguage} from '../lib/i18n.js'
import {feedAddress} from '../lib/route.js'
import {Store} from '../lib/store.js'

/** What every page does first: words, then (offline shell) the service worker. */
export async function speak() {
  const language = chooseLanguage(location.search, storage())
  document.documentElement.lang = language
  await loadLanguage(language, async path => (await fetch(path)).json())
  if ('serviceWorker' in navigator) navigator.serviceWorker.register('/sw.js').catch(() => {}) // offline shell is a courtesy
}

/** localStorage, or nothing where the browser forbids it. */
export function storage() {
  try {
    return window.localStorage
  } catch {
    return null
  }
}

/** A store that follows the board, and the feed that feeds it. */
export function follow(api) {
  const store = new Store(browserClock)
  const feed = new Feed({
    connect: () => new WebSocket(feedAddress(location)),
    poll: async () => boardOf(await api.get('/api/board')),
    clock: browserClock,
    onBoard: (board, at) => store.take(board, at),
    onStatus: (status, why) => {
      document.documentElement.dataset.feed = status
      store.become(status, why)
    },
  })
  document.documentElement.dataset.feed = feed.status
  addEventListener('online', () => feed.nudge())
  addEventListener('visibilitychange', () => document.visibilityState === 'visible' && feed.nudge())
  feed.start()
  return {store, feed}
}

/** The HTTP answer is the board itself, or a snapshot frame with the hub's time. */
const boardOf = answer => (answer.board ? answer : {board: answer, at: answer.at})

export const zoneOf = store => store.board?.plant?.time_zone ?? ''
export const api = new Api()
