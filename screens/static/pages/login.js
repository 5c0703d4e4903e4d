import {h} from '../lib/dom.js'
import {hasKeptLanguage, keepLanguage, say, t} from '../lib/i18n.js'
import {safeNext} from '../lib/route.js'
import {api, speak, storage} from './start.js'

await speak()
await import('../elements/lang-switch.js')
document.title = t('page.login')
document.querySelector('main').replaceChildren(form())

function form() {
  const person = h('input', {name: 'person', autocomplete: 'username', required: true, autocapitalize: 'none', spellcheck: false, testid: 'person'})
  const password = h('input', {name: 'password', type: 'password', autocomplete: 'current-password', required: true, testid: 'password'})
  const shown = h('input', {type: 'checkbox'})
  shown.onchange = () => (password.type = shown.checked ? 'text' : 'password')
  const trouble = h('p.trouble', {role: 'alert', testid: 'login-error'})
  const button = h('button.button', {type: 'submit', testid: 'login'}, t('login.submit'))
  const whole = h('form.login-form', {method: 'post'},
    h('header.login-head', h('h1', 'Andon Hub'), h('andon-lang')),
    field(t('login.person'), person), field(t('login.password'), password),
    h('label.tick', shown, t('login.show')), trouble, button)
  whole.onsubmit = event => {
    event.preventDefault()
    enter(person.value.trim(), password, button, trouble)
  }
  return whole
}

function field(label, input) {
  return h('label.field', h('span', label), input)
}

async function enter(name, password, button, trouble) {
  button.disabled = true
  button.textContent = t('login.busy')
  trouble.textContent = ''
  try {
    const {person} = await api.login(name, password.value)
    if (!hasKeptLanguage(storage())) keepLanguage(person.language === 'en' ? 'en' : 'zh-CN', storage())
    location.replace(safeNext(new URLSearchParams(location.search).get('next')))
  } catch (error) {
    trouble.textContent = why(error)
    password.select()
    button.disabled = false
    button.textContent = t('login.submit')
  }
}

function why(error) {
  if (error.status === 401) return t('login.wrong')
  if (error.status === 429) return t('login.limited')
  if (error.status === 0) return t('login.unreachable')
  return error.text ? say(error.text) : t('error.unknown', {status: error.status, id: error.id || '—'})
}
