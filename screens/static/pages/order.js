/** One customer's order, by a link and without a login. The link's secret goes to the hub in a header, never in an address of ours. */
import {browserClock} from '../lib/clock.js'
import {h} from '../lib/dom.js'
import {chooseLanguage, hasKeptLanguage, loadLanguage, t} from '../lib/i18n.js'
import {storage} from './start.js'

const EVERY = 30_000 // ms
const PATIENCE = 15_000
const page = document.querySelector('#page')
const token = location.pathname.split('/').at(-1)
const state = {told: null, trouble: '', heard: 0, again: EVERY}

await speak()
await Promise.all(['shared-order', 'lang-switch'].map(name => import(`../elements/${name}.js`)))
const shown = document.createElement('andon-shared-order')
page.replaceChildren(h('div', h('header.page-head', h('h1', t('shared.title')), h('andon-lang')), shown))
document.title = t('shared.title')
await ask()
setInterval(draw, 1000)
addEventListener('visibilitychange', () => document.visibilityState === 'visible' && ask())
addEventListener('online', ask)

/** Chinese, or English for a phone that speaks something else; what was chosen here stays. */
async function speak() {
  const foreign = !hasKeptLanguage(storage()) && !navigator.language.startsWith('zh')
  const language = chooseLanguage(location.search || (foreign ? '?lang=en' : ''), foreign ? null : storage())
  document.documentElement.lang = language
  await loadLanguage(language, async path => (await fetch(path)).json())
}

async function ask() {
  clearTimeout(state.timer)
  try {
    const answer = await fetch('/api/shared-order', {headers: {'X-Andon-Link': token, Accept: 'application/json'}, credentials: 'omit',
      cache: 'no-store', referrerPolicy: 'no-referrer', signal: AbortSignal.timeout(PATIENCE)})
    take(answer, answer.ok ? await answer.json() : null)
  } catch {
    state.trouble = 'away'
  }
  state.timer = setTimeout(ask, EVERY)
  draw()
}

function take(answer, told) {
  state.trouble = told ? '' : answer.status === 404 ? 'over' : 'away'
  if (answer.status === 404) state.told = null // a link that is over shows nothing any more
  if (!told) return
  state.told = told
  state.heard = browserClock.now()
}

/** The hub's clock, carried on by ours: nobody's phone has to be right. */
function draw() {
  const now = state.told ? Date.parse(state.told.at) + browserClock.now() - state.heard : 0
  shown.show({told: state.told, now, trouble: state.trouble})
}
