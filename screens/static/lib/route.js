/** Addresses of our own pages. */

const PAGES = new Set(['/wall', '/phone', '/touch', '/console'])

/** Where to go after login: only one of our pages, whatever a link says. */
export function safeNext(wish, fallback = '/phone') {
  if (typeof wish !== 'string' || !wish.startsWith('/') || /[\\\u0000-\u001f]/.test(wish)) return fallback
  let url
  try {
    url = new URL(wish, 'http://here.invalid')
  } catch {
    return fallback
  }
  if (url.origin !== 'http://here.invalid' || !PAGES.has(url.pathname)) return fallback
  return url.pathname + url.search + url.hash
}

/** The page after login; the hub, which sent us here, never saw what stood behind its `#`. */
export function nextPage({search, hash}) {
  const next = safeNext(new URLSearchParams(search).get('next'))
  return next.includes('#') || hash === '#password' ? next : next + hash
}

export const loginAddress = ({pathname, search, hash}) => `/login?next=${encodeURIComponent(pathname + search + hash)}`

/** `#t=AH-20260105-0007` and the like as an object. */
export const hashValues = hash => Object.fromEntries(new URLSearchParams(hash.replace(/^#/, '')))

/** Where the board is spoken: ws: beside http:, wss: beside https:. */
export const feedAddress = ({protocol, host}) => `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws`
