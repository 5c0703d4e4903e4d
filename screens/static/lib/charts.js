/**
 * Data for Plotly, made without it. Pure: colours, words and `local` (an instant as the plant's wall clock shows it, which is
 * what Plotly draws) come as arguments.
 */

/** One bar per span, one trace per state, machines from top to bottom in the order given. */
export function timelineTraces(spans, machines, {colours, stateWord, nameOf, local, lasting, now}) {
  const states = [...new Set(spans.map(span => span.state))]
  return states.map(state => {
    const mine = spans.filter(span => span.state === state && machines.includes(span.equipment))
    return {
      type: 'bar', orientation: 'h', name: stateWord(state), hovertemplate: '%{y}<br>%{customdata}<extra></extra>',
      y: mine.map(span => nameOf(span.equipment)),
      base: mine.map(span => local(span.since)),
      x: mine.map(span => length(span, now)),
      customdata: mine.map(span => `${stateWord(state)} ${lasting(length(span, now) / 1000)}`),
      marker: {color: colours[state], line: {width: 0}, pattern: state === 'unknown' ? {shape: '/', fgcolor: colours.unknown, bgcolor: colours.ground, size: 8, solidity: 0.35} : {}},
      width: 0.78,
    }
  })
}

/** Milliseconds; the present span lasts until now. */
const length = (span, now) => Math.max(0, (span.until ? Date.parse(span.until) : now) - Date.parse(span.since))

/** Mean as a line inside the band from least to greatest; broken where samples were dropped (`gaps` of docs/api.md's trend). */
export function trendTraces(told, {colours, local, gaps = []}) {
  const points = broken(told, gaps)
  const at = points.map(point => local(point[0]))
  return [
    {type: 'scatter', mode: 'lines', x: at, y: points.map(p => p[3] ?? p[1]), line: {width: 0}, hoverinfo: 'skip', showlegend: false},
    {type: 'scatter', mode: 'lines', x: at, y: points.map(p => p[2] ?? p[1]), line: {width: 0}, fill: 'tonexty', fillcolor: colours.band, hoverinfo: 'skip', showlegend: false},
    {type: 'scatter', mode: 'lines', x: at, y: points.map(p => p[1]), line: {width: 2, color: colours.text}, showlegend: false},
  ]
}

/** The points, with one that says nothing between two when a gap begins or ends there, or spans them. */
function broken(points, gaps) {
  const spans = gaps.map(gap => [Date.parse(gap.from), Date.parse(gap.to)])
  const known = points.map(point => Date.parse(point[0]))
  return points.flatMap((point, n) => {
    const within = n > 0 && spans.some(([from, to]) => from < known[n] && to > known[n - 1])
    return within ? [[new Date((known[n - 1] + known[n]) / 2).toISOString(), null, null, null], point] : [point]
  })
}
