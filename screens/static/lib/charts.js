/** Data for Plotly, made without it. Pure: colours and words come as arguments. */

/** One bar per span, one trace per state, machines from top to bottom in the order given. */
export function timelineTraces(spans, machines, {colours, stateWord, nameOf, now}) {
  const states = [...new Set(spans.map(span => span.state))]
  return states.map(state => {
    const mine = spans.filter(span => span.state === state && machines.includes(span.equipment))
    return {
      type: 'bar', orientation: 'h', name: stateWord(state), hovertemplate: '%{y}<br>%{customdata}<extra></extra>',
      y: mine.map(span => nameOf(span.equipment)),
      base: mine.map(span => span.since),
      x: mine.map(span => Math.max(0, Date.parse(span.until ?? new Date(now).toISOString()) - Date.parse(span.since))),
      customdata: mine.map(span => `${stateWord(state)} ${Math.round((Date.parse(span.until ?? now) - Date.parse(span.since)) / 60000)} min`),
      marker: {color: colours[state], line: {width: 0}, pattern: state === 'unknown' ? {shape: '/', fgcolor: colours.ground, size: 6} : {}},
      width: 0.78,
    }
  })
}

/** Mean as a line inside the band from least to greatest. */
export function trendTraces(points, {colours}) {
  const at = points.map(point => point[0])
  return [
    {type: 'scatter', mode: 'lines', x: at, y: points.map(p => p[3] ?? p[1]), line: {width: 0}, hoverinfo: 'skip', showlegend: false},
    {type: 'scatter', mode: 'lines', x: at, y: points.map(p => p[2] ?? p[1]), line: {width: 0}, fill: 'tonexty', fillcolor: colours.band, hoverinfo: 'skip', showlegend: false},
    {type: 'scatter', mode: 'lines', x: at, y: points.map(p => p[1]), line: {width: 2, color: colours.text}, showlegend: false},
  ]
}
