import {svg} from '../lib/dom.js'
import {runs, spanOf} from '../lib/spark.js'

const [WIDTH, HEIGHT] = [320, 84]

/** One number as a line between its least and greatest, with the limit across; holes stay empty. */
export class AndonSpark extends HTMLElement {
  /** `points` are [time, mean, min, max]; `limit` a number or undefined. */
  show(points, limit) {
    const span = spanOf(points)
    this.hidden = !span
    if (!span) return
    const {start, end} = span
    const parts = runs(points)
    const values = parts.flat().flatMap(point => point.slice(1).filter(Number.isFinite)).concat(typeof limit === 'number' ? [limit] : [])
    const [least, most] = [Math.min(...values), Math.max(...values)]
    const x = at => ((Date.parse(at) - start) / Math.max(1, end - start)) * WIDTH
    const y = value => HEIGHT - 6 - ((value - least) / Math.max(1e-9, most - least)) * (HEIGHT - 12)
    const path = (run, column) => run.map((p, i) => `${i ? 'L' : 'M'}${x(p[0]).toFixed(1)} ${y(p[column] ?? p[1]).toFixed(1)}`).join('') + (run.length > 1 ? '' : 'h.1')
    const back = run => [...run].reverse().map(p => `L${x(p[0]).toFixed(1)} ${y(p[2] ?? p[1]).toFixed(1)}`).join('')
    this.replaceChildren(svg('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'},
      svg('path', {class: 'spark-range', d: parts.map(run => `${path(run, 3)}${back(run)}Z`).join('')}),
      svg('path', {class: 'spark-line', d: parts.map(run => path(run, 1)).join('')}),
      ...(typeof limit === 'number' ? [svg('path', {class: 'spark-limit', d: `M0 ${y(limit)}H${WIDTH}`})] : [])))
  }
}

customElements.define('andon-spark', AndonSpark)
