import {h} from '../lib/dom.js'
import {hasKeptLanguage, keepLanguage, say, t} from '../lib/i18n.js'
import {nextPage} from '../lib/route.js'
import {api, speak, storage} from './start.js'

await speak()
await import('../elements/lang-switch.js')
document.title = t('page.login')
const next = nextPage(location)
const main = document.querySelector('main')
main.replaceChildren(location.hash === '#password' ? changeForm() : loginForm())

// ------------------------------------------------------------------ forms
function loginForm() {
  const person = h('input', {name: 'person', autocomplete: 'username', required: true, autocapitalize: 'none', spellcheck: false, testid: 'person'})
  const password = secret('password', 'current-password')
  return form('Andon Hub', t('login.submit'), 'login', [field(t('login.person'), person), field(t('login.password'), password)], async () => {
    const name = person.value.trim()
    try {
      welcome(await api.login(name, password.value))
    } catch (error) {
      if (error.code !== 'password-once') throw error
      main.replaceChildren(onceForm(name, password.value))
    }
  })
}

/** After a password that somebody else made: first one of one's own. */
function onceForm(name, given) {
  const fresh = secret('new-password', 'new-password')
  const again = secret('again', 'new-password')
  return form(t('password.once'), t('password.save'), 'save-password', [h('p', t('password.once.why')), ...choice(fresh, again)], async () => {
    if (same(fresh, again)) welcome(await api.login(name, given, fresh.value))
  })
}

function changeForm() {
  const old = secret('old-password', 'current-password')
  const fresh = secret('new-password', 'new-password')
  const again = secret('again', 'new-password')
  const whole = form(t('password.change'), t('password.save'), 'save-password', [field(t('password.old'), old), ...choice(fresh, again)], async () => {
    if (!same(fresh, again)) return
    await api.changePassword(old.value, fresh.value)
    location.replace(next)
  })
  whole.append(h('a.plain.big', {href: next}, t('close.cancel')))
  return whole
}

/** `work` throws what went wrong; it is said in words below the fields. */
function form(title, word, testid, fields, work) {
  const trouble = h('p.trouble', {role: 'alert', testid: 'login-error'})
  const button = h('button.button', {type: 'submit', testid}, word)
  const shown = h('input', {type: 'checkbox'})
  const whole = h('form.login-form', {method: 'post'}, h('header.login-head', h('h1', title), h('andon-lang')), ...fields,
    h('label.tick', shown, t('login.show')), trouble, button)
  shown.onchange = () => {
    for (const input of whole.querySelectorAll('[data-secret]')) input.type = shown.checked ? 'text' : 'password'
  }
  whole.onsubmit = async event => {
    event.preventDefault()
    Object.assign(button, {disabled: true, textContent: t('login.busy')})
    trouble.textContent = ''
    try {
      await work()
    } catch (error) {
      if (error.code === undefined) throw error // a bug of ours, not an answer
      if (error.code === 'not-logged-in') return location.replace(`/login?next=${encodeURIComponent(next)}`)
      trouble.textContent = error.said ?? why(error)
      whole.querySelector('[data-secret]').select()
    }
    Object.assign(button, {disabled: false, textContent: word})
  }
  return whole
}

function field(label, input) {
  return h('label.field', h('span', label), input)
}

function secret(testid, autocomplete) {
  return h('input', {name: testid, type: 'password', autocomplete, required: true, maxLength: 128, testid, data: {secret: 'yes'}})
}

function choice(fresh, again) {
  return [field(t('password.new'), fresh), h('p.hint', t('password.rule')), field(t('password.again'), again)]
}

function same(fresh, again) {
  if (fresh.value === again.value) return true
  throw {code: 'password-again', said: t('password.differ')}
}

function welcome({person}) {
  if (!hasKeptLanguage(storage())) keepLanguage(person.language === 'en' ? 'en' : 'zh-CN', storage())
  location.replace(next)
}

function why(error) {
  if (error.code === 'login-failed') return t('login.wrong')
  if (error.status === 429) return t('login.limited')
  if (error.status === 0) return t('login.unreachable')
  return error.text ? say(error.text) : t('error.unknown', {status: error.status, id: error.id || '—'})
}
