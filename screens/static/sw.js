/*
 * Keeps the pages themselves on the device, so that a phone in a dead spot and a wall that was switched on before the hub
 * open at once and can say what is wrong. Never keeps data: /api and /ws always go to the hub.
 */
const KEPT = 'andon-shell'
const PAGES = ['/wall', '/phone', '/touch', '/console', '/login']
const PATIENCE = 1500

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', event => {
  const {pathname, origin} = new URL(event.request.url)
  const shell = pathname.startsWith('/static/') || PAGES.includes(pathname)
  if (event.request.method === 'GET' && origin === self.location.origin && shell) event.respondWith(fresh(event.request))
})

/** The hub's answer when it comes soon, else what we have, else whatever the hub says in the end. */
async function fresh(request) {
  const asked = fetch(request)
  const kept = await caches.match(request, {ignoreSearch: PAGES.includes(new URL(request.url).pathname)})
  asked.then(answer => keep(request, answer.clone()), () => {})
  if (!kept) return asked
  const late = new Promise(done => setTimeout(done, PATIENCE))
  const answer = await Promise.race([asked.catch(() => null), late])
  return answer?.ok || answer?.type === 'opaqueredirect' ? answer : kept
}

async function keep(request, answer) {
  if (answer.ok && answer.type === 'basic' && !answer.redirected) await (await caches.open(KEPT)).put(request, answer)
}
