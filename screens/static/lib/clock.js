/** The browser's clock as the library sees it; tests hand in one that they turn themselves. */
export const browserClock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  /** Calls `act` once after `ms`; returns what cancels it. */
  after(ms, act) {
    const timer = setTimeout(act, ms)
    return () => clearTimeout(timer)
  },
}

/** Calls `act` at every full second, so that all tiles of a wall move together. Returns what stops it. */
export function everySecond(act, clock = browserClock) {
  let cancel
  const again = () => {
    cancel = clock.after(1000 - (clock.wall() % 1000) + 1, () => {
      again()
      act()
    })
  }
  again()
  return () => cancel()
}
