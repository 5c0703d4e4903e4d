/** Process parameters of an order or a lot as rows and as a chart. Pure. */
import {trendTraces} from './charts.js'

/** One row per operation, machine and parameter; what lies outside its limits comes first. */
export function parameterRows(orders) {
  const rows = orders.flatMap(({order, operations}) => operations.flatMap(operation => operation.parameters.map(parameter =>
    ({...parameter, order, operation: operation.operation, operationName: operation.name, key: [order, operation.operation, parameter.tag].join(' ')}))))
  return rows.sort((a, b) => Number(b.outside > 0) - Number(a.outside > 0))
}

/** "20 – 80", "≤ 80", "≥ 20" or "". */
export function limitsText({low, high}, digits) {
  if (low !== null && high !== null) return `${digits(low)} – ${digits(high)}`
  return low !== null ? `≥ ${digits(low)}` : high !== null ? `≤ ${digits(high)}` : ''
}

/** The curve inside its band, its limits and its target as lines across: {traces, layout} for the chart. */
export function parameterChart({series, low, high, target, unit}, {colours, local}) {
  const across = (value, dash) => ({type: 'line', xref: 'paper', x0: 0, x1: 1, y0: value, y1: value, line: {color: dash === 'dot' ? colours.text : colours.fault, width: 1.5, dash}})
  const shapes = [[low, 'dash'], [high, 'dash'], [target, 'dot']].filter(([value]) => value !== null && value !== undefined).map(([value, dash]) => across(value, dash))
  return {traces: trendTraces(series, {colours, local}), layout: {yaxis: {title: {text: unit}}, shapes}}
}
