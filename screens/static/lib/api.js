/** An answer that was not what we asked for. `status` 0: the hub was not reached at all. */
export class ApiError extends Error {
  constructor(status, code, text, id = '') {
    super(code)
    Object.assign(this, {status, code, text, id})
  }

  /** The same request may work later: unreachable, busy or broken for the moment. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

const READING = new Set(['GET', 'HEAD'])
const PATIENCE = 10_000
const PATIENCE_UPLOAD = 60_000

/** Calls of docs/api.md. Sends the CSRF token on everything that writes, and asks for it when it has none. */
export class Api {
  #fetch
  #csrf = ''

  constructor(fetcher = (...args) => fetch(...args)) {
    this.#fetch = fetcher
  }

  get = path => this.#ask('GET', path)
  post = (path, body = {}, patience = PATIENCE) => this.#ask('POST', path, JSON.stringify(body), {'Content-Type': 'application/json'}, patience)

  remove = path => this.#ask('DELETE', path)

  /** {person, csrf} or {device}; throws ApiError 401 when nobody is logged in. */
  async me() {
    const me = await this.get('/api/me')
    this.#csrf = me.csrf ?? ''
    return me
  }

  /** `fresh` replaces the password at this login; after a one-time password there has to be one. */
  async login(person, password, fresh) {
    const answer = await this.post('/api/login', {person, password, ...(fresh && {new_password: fresh})})
    this.#csrf = answer.csrf ?? ''
    return answer
  }

  async changePassword(old, fresh) {
    const answer = await this.post('/api/password', {old, new: fresh})
    this.#csrf = answer.csrf ?? '' // a new session
  }

  photo(blob) {
    const form = new FormData()
    form.append('photo', blob, 'photo.jpg')
    return this.#ask('POST', '/api/photos', form, {}, PATIENCE_UPLOAD)
  }

  async #ask(method, path, body, headers = {}, patience = PATIENCE) {
    const opening = path === '/api/login' || path === '/api/device-login'
    if (!READING.has(method) && !opening && !this.#csrf) await this.me()
    let answer = await this.#send(method, path, body, headers, patience)
    if (answer.status === 403 && !READING.has(method) && (await codeOf(answer.clone())).includes('csrf')) {
      await this.me() // the session was renewed in another tab
      answer = await this.#send(method, path, body, headers, patience)
    }
    if (!answer.ok) throw await complaint(answer)
    return answer.status === 204 ? null : answer.json()
  }

  async #send(method, path, body, headers, patience) {
    const token = READING.has(method) ? {} : {'X-Andon-CSRF': this.#csrf}
    try {
      return await this.#fetch(path, {
        method,
        body,
        headers: {Accept: 'application/json', ...headers, ...token},
        credentials: 'same-origin',
        cache: 'no-store',
        signal: AbortSignal.timeout(patience),
      })
    } catch {
      throw new ApiError(0, 'unreachable', null)
    }
  }
}

async function codeOf(answer) {
  return (await complaint(answer)).code
}

async function complaint(answer) {
  try {
    const {error} = await answer.json()
    return new ApiError(answer.status, error.code ?? 'unknown', error.text ?? null, error.id ?? '')
  } catch {
    return new ApiError(answer.status, 'unknown', null)
  }
}
