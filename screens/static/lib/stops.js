/** Why machines stood, as the screens need it. Pure. */

const SETTERS = ['operator', 'technician', 'manager', 'admin']

export const mayExplain = person => Boolean(person?.roles?.some(role => SETTERS.includes(role)))

export const keyOf = stop => `${stop.machine}@${stop.start}`

/** Those that need a reason first, the longest of them on top; then the newest. */
export function inOrder(stops) {
  return [...stops].sort((a, b) => Number(b.waits) - Number(a.waits) || (a.waits ? b.seconds - a.seconds : Date.parse(b.start) - Date.parse(a.start)))
}

/** Of the reasons for this machine the first `most`, what is usual there first: [{code, name, group}]. */
export function usual(told, machine, most = Infinity) {
  return (told?.usual?.[machine] ?? []).slice(0, most).map(code => ({code, ...told.reasons[code]}))
}

/** The part somebody is about to explain: the one chosen, else the first without a reason, else the first. */
export function chosenPart(stop, start) {
  return stop.parts.find(part => part.start === start) ?? stop.parts.find(part => !part.reason) ?? stop.parts[0]
}

const MINUTE = 60

/** Where a part may be cut, in seconds from its beginning: {min, max, step}; null when it is too short for that. */
export function cuts(part) {
  const length = Math.floor((Date.parse(part.end) - Date.parse(part.start)) / 1000)
  const step = length >= 10 * MINUTE ? MINUTE : 10
  return length >= 2 * step + 1 ? {min: step, max: Math.floor((length - 1) / step) * step, step} : null
}

export const cutAt = (part, seconds) => new Date(Date.parse(part.start) + seconds * 1000).toISOString()

/** Changes when a machine stops, goes on, or has said or unsaid what its stops need. */
export const signature = board =>
  Object.values(board?.machines ?? {}).map(m => `${m.path} ${m.state} ${m.unexplained ?? 0}`).join('\n')

export const waiting = (board, place = '') =>
  Object.values(board?.machines ?? {}).reduce((n, m) => n + (!place || m.path === place || m.path.startsWith(`${place}/`) ? m.unexplained ?? 0 : 0), 0)

/** Bars of minutes, the greatest first, and the line of what they add up to. `say` and `words` are the page's language. */
export function paretoTraces(rows, {say, words, colours}) {
  const names = rows.map(row => (row.reason ? say(row.name) : words.bare))
  let sum = 0
  const shares = rows.map(row => (sum += row.share) * 100)
  return {
    traces: [
      {type: 'bar', x: names, y: rows.map(row => row.minutes), name: words.minutes, width: 0.6, marker: {color: rows.map(row => (row.reason ? colours.setup : colours.idle))}},
      {type: 'scatter', mode: 'lines+markers', x: names, y: shares, name: words.share, yaxis: 'y2', line: {width: 2, color: colours.text}},
    ],
    layout: {
      xaxis: {type: 'category', tickformat: '', automargin: true},
      yaxis: {title: {text: words.minutes}, rangemode: 'tozero'},
      yaxis2: {overlaying: 'y', side: 'right', range: [0, 105], tickvals: [0, 20, 40, 60, 80, 100], ticksuffix: '%', showgrid: false, color: colours.text, automargin: true},
      margin: {t: 12, r: 12, b: 60, l: 12},
    },
  }
}
