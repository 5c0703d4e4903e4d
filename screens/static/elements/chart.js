import {h} from '../lib/dom.js'
import {t} from '../lib/i18n.js'

let loading = null

/** Plotly, fetched from our own hub when the first chart is opened and not before. */
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = h('script', {src: '/static/vendor/plotly.min.js', onerror: reject})
    script.onload = () => (window.Plotly ? resolve(window.Plotly) : reject(new Error('no Plotly')))
    document.head.append(script)
  }).catch(error => {
    loading = null
    throw error
  })
  return loading
}

/** A Plotly chart in the colours of the page. `draw(traces, layout)`. */
export class AndonChart extends HTMLElement {
  async draw(traces, layout = {}) {
    if (!this.firstChild) this.replaceChildren(h('p.chart-busy', t('chart.busy')))
    let library
    try {
      library = await plotly()
    } catch {
      return this.replaceChildren(h('p.chart-busy', t('chart.missing')))
    }
    if (!this.isConnected) return
    if (!this.field) this.replaceChildren((this.field = h('div.chart-field')))
    const {text, rule} = colours(this)
    const axis = {color: text, gridcolor: rule, linecolor: rule, zeroline: false, automargin: true}
    await library.react(this.field, traces, {
      paper_bgcolor: 'transparent', plot_bgcolor: 'transparent', barmode: 'overlay', margin: {t: 8, r: 12, b: 36, l: 12},
      font: {family: getComputedStyle(this).fontFamily, size: 15, color: text}, legend: {orientation: 'h', y: -0.08, yanchor: 'top'},
      ...layout, xaxis: {...axis, type: 'date', tickformat: '%H:%M\n%m-%d', ...layout.xaxis}, yaxis: {...axis, ...layout.yaxis},
    }, {responsive: true, displayModeBar: false})
  }

  disconnectedCallback() {
    if (this.field) window.Plotly?.purge(this.field)
  }
}

/** The page's colours as plain values, which a chart library needs. */
export function colours(element) {
  const style = getComputedStyle(element)
  const read = name => style.getPropertyValue(name).trim()
  const states = ['executing', 'setup', 'idle', 'starved', 'blocked', 'held', 'fault', 'maintenance', 'off', 'unknown']
  return {text: read('--text'), rule: read('--rule'), ground: read('--surface'), band: read('--raised'),
    ...Object.fromEntries(states.map(state => [state, read(`--state-${state}`)]))}
}

customElements.define('andon-chart', AndonChart)
