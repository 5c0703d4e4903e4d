/** A short curve: where it begins, where it ends and where nothing is known. Pure. */

const GAP = 2.5 // times the usual step between points

const known = points => points.filter(point => typeof point[1] === 'number')

/** {start, end} in ms since 1970 of what is known, null where that is no curve. */
export function spanOf(points) {
  const told = known(points)
  return told.length < 2 ? null : {start: Date.parse(told[0][0]), end: Date.parse(told.at(-1)[0])}
}

/** Runs of points [time, mean, min, max] without a hole: nobody knows what a number did in a hole. */
export function runs(points) {
  const told = known(points)
  const steps = told.slice(1).map((point, i) => Date.parse(point[0]) - Date.parse(told[i][0]))
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0
  const found = []
  told.forEach((point, i) => {
    if (!i || steps[i - 1] > usual * GAP) found.push([])
    found.at(-1).push(point)
  })
  return found
}
