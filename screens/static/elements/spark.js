import {svg} from '../lib/dom.js'

const [WIDTH, HEIGHT] = [320, 84]

/** The last hour of one number as a line between its least and greatest, with the limit across. */
export class AndonSpark extends HTMLElement {
  /** `points` are [time, mean, min, max]; `limit` a number or undefined. */
  show(points, limit) {
    const known = points.filter(point => typeof point[1] === 'number')
    this.hidden = known.length < 2
    if (this.hidden) return
    const values = known.flatMap(point => point.slice(1)).concat(typeof limit === 'number' ? [limit] : [])
    const [least, most] = [Math.min(...values), Math.max(...values)]
    const [start, end] = [Date.parse(known[0][0]), Date.parse(known.at(-1)[0])]
    const x = at => ((Date.parse(at) - start) / Math.max(1, end - start)) * WIDTH
    const y = value => HEIGHT - 6 - ((value - least) / Math.max(1e-9, most - least)) * (HEIGHT - 12)
    const path = column => known.map((p, i) => `${i ? 'L' : 'M'}${x(p[0]).toFixed(1)} ${y(p[column] ?? p[1]).toFixed(1)}`).join('')
    const back = [...known].reverse().map(p => `L${x(p[0]).toFixed(1)} ${y(p[2] ?? p[1]).toFixed(1)}`).join('')
    this.replaceChildren(svg('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'},
      svg('path', {class: 'spark-range', d: `${path(3)}${back}Z`}),
      svg('path', {class: 'spark-line', d: path(1)}),
      ...(typeof limit === 'number' ? [svg('path', {class: 'spark-limit', d: `M0 ${y(limit)}H${WIDTH}`})] : [])))
  }
}

customElements.define('andon-spark', AndonSpark)
