export const LANGUAGES = ['zh-CN', 'en']
const KEPT = 'andon.language'

let dictionary = {}
let language = 'zh-CN'

/** `?lang=en` wins and is kept; then what was kept; then Chinese. */
export function chooseLanguage(search, storage) {
  const asked = match(new URLSearchParams(search).get('lang'))
  if (asked) keepLanguage(asked, storage)
  return asked ?? match(read(storage)) ?? 'zh-CN'
}

export function keepLanguage(code, storage) {
  try {
    storage?.setItem(KEPT, code)
  } catch {
    // private mode: the choice lasts as long as the page
  }
}

export const hasKeptLanguage = storage => match(read(storage)) !== undefined

export async function loadLanguage(code, fetchJson) {
  useLanguage(code, await fetchJson(`/static/i18n/${code}.json`))
}

export function useLanguage(code, words) {
  language = code
  dictionary = words
}

export const currentLanguage = () => language
export const otherLanguage = () => LANGUAGES.find(code => code !== language)

/** The phrase behind `key`, its {names} filled in; the key itself when there is none. */
export function t(key, values = {}) {
  const phrase = dictionary[key] ?? key
  return phrase.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole))
}

/** A `{zh, en}` of the hub in the language shown; a plain text as it is. */
export function say(words) {
  if (words === null || words === undefined) return ''
  if (typeof words !== 'object') return String(words)
  const [first, second] = language === 'en' ? [words.en, words.zh] : [words.zh, words.en]
  return first || second || ''
}

function match(code) {
  if (!code) return undefined
  return code.toLowerCase().startsWith('zh') ? 'zh-CN' : LANGUAGES.find(known => known === code.toLowerCase())
}

function read(storage) {
  try {
    return storage?.getItem(KEPT)
  } catch {
    return null
  }
}
