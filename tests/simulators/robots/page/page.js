import {h, rendered} from './bubble.js'

const WORDS = {
  zh: {
    title: '手机收件箱', about: '演示用的群机器人：手机会收到的消息，原样在此', lost: '与模拟器的连接已断开',
    wecom: '企业微信', dingtalk: '钉钉', group: '设备报警群', robot: 'Andon 机器人', bot: '机器人',
    reply: '群机器人消息，在链接里处理', empty: '还没有消息', rings: '响铃', today: '今天',
    shown: (n) => `已显示 ${n}`, refused: (n) => `被拒 ${n}`, free: (n) => `本分钟还可 ${n} 条`,
    blocked: (s) => `已被限流，还剩 ${s} 秒`, fault: (f) => `故障注入：${f}`,
  },
  en: {
    title: 'Phone inbox', about: 'Group robots of the demo: what phones get, as it is', lost: 'The simulator is out of reach',
    wecom: 'WeCom', dingtalk: 'DingTalk', group: 'Equipment alarms', robot: 'Andon robot', bot: 'BOT',
    reply: 'From a group robot: act behind the link', empty: 'No messages yet', rings: 'rings', today: 'Today',
    shown: (n) => `${n} shown`, refused: (n) => `${n} refused`, free: (n) => `${n} more this minute`,
    blocked: (s) => `limited, ${s} s left`, fault: (f) => `fault: ${f}`,
  },
}
const EVERY = 500 // milliseconds between two looks
const timeZone = 'Asia/Shanghai' // where the demo plant and its phones are
const GAP = 5 * 60_000 // a longer silence gets a time of day

const asked = new URLSearchParams(location.search).get('lang')
let language = asked ?? localStorage.getItem('inbox-language') ?? 'zh'
let last = 0
let loaded = false // what is there at first is history, not news
let newest = {} // robot -> time of its newest bubble
let unread = {wecom: 0, dingtalk: 0}
let status = null

const t = (key) => (WORDS[language] ?? WORDS.zh)[key]
const phone = (robot) => document.querySelector(`.phone[data-robot="${robot}"]`)
const tab = (robot) => document.querySelector(`.tabs [data-robot="${robot}"]`)
const clock = (at) => at.toLocaleTimeString('zh-CN', {timeZone, hour: '2-digit', minute: '2-digit', hour12: false})

function bubble(note) {
  const robot = h('span', {className: 'name'}, t('robot'), h('b', {className: 'bot'}, t('bot')))
  const body = h('div', {className: 'bubble'}, rendered(note))
  const rings = note.mentions.length ? h('span', {className: 'rings', title: note.mentions.join(', ')}, t('rings')) : ''
  const at = new Date(note.at)
  const time = h('time', {dateTime: note.at, title: at.toLocaleString('sv-SE', {timeZone})}, at.toLocaleTimeString('zh-CN', {timeZone, hour12: false}))
  return h('li', {className: 'note'}, h('span', {className: 'face', ariaHidden: 'true'}, 'A'),
    h('div', {className: 'said'}, robot, body, h('p', {className: 'under'}, time, rings)))
}

function show(notes) {
  for (const note of notes) {
    const chat = phone(note.robot)?.querySelector('.chat')
    if (!chat) continue
    const atBottom = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80
    chat.querySelector('.empty')?.remove()
    const at = new Date(note.at)
    if (!newest[note.robot] || at - newest[note.robot] > GAP) chat.append(h('li', {className: 'day'}, day(at)))
    newest[note.robot] = at
    const item = bubble(note)
    if (loaded) item.classList.add('new')
    chat.append(item)
    if (atBottom || !loaded) chat.scrollTop = chat.scrollHeight
    if (loaded && document.body.dataset.shown !== note.robot) unread[note.robot] += 1
  }
}

function day(at) {
  const date = (moment) => moment.toLocaleDateString('sv-SE', {timeZone})
  const same = date(at) === date(new Date())
  const locale = language === 'zh' ? 'zh-CN' : 'en-GB'
  return same ? `${t('today')} ${clock(at)}` : `${at.toLocaleDateString(locale, {timeZone, month: 'short', day: 'numeric'})} ${clock(at)}`
}

function standing() {
  for (const robot of ['wecom', 'dingtalk']) {
    const place = phone(robot).querySelector('.standing')
    const s = status?.robots[robot]
    const parts = s ? [t('shown')(s.shown), t('refused')(s.refused), s.blocked ? t('blocked')(s.blocked) : t('free')(s.free)] : []
    if (status?.faults[robot]) parts.push(t('fault')(status.faults[robot]))
    place.textContent = parts.join(' · ')
    place.classList.toggle('bad', Boolean(s?.blocked || status?.faults[robot]))
    const count = tab(robot).querySelector('b')
    count.textContent = unread[robot]
    count.hidden = !unread[robot]
    tab(robot).setAttribute('aria-pressed', String(document.body.dataset.shown === robot))
  }
  for (const time of document.querySelectorAll('.bar time')) time.textContent = clock(new Date())
}

function words() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  document.title = `${t('title')} · Andon Hub`
  for (const place of document.querySelectorAll('[data-t]')) place.textContent = t(place.dataset.t)
  const other = document.querySelector('.language')
  other.textContent = language === 'zh' ? 'English' : '中文'
  other.lang = language === 'zh' ? 'en' : 'zh-CN'
}

function startOver() {
  last = 0
  loaded = false
  newest = {}
  for (const chat of document.querySelectorAll('.chat')) {
    chat.replaceChildren(h('li', {className: 'empty'}, t('empty')))
  }
}

async function look() {
  try {
    const answer = await fetch(`_control/messages?after=${last}`, {cache: 'no-store'})
    if (!answer.ok) throw new Error(answer.status)
    status = await answer.json()
    document.querySelector('.lost').hidden = true
    if (status.last < last || (!status.last && last)) startOver() // another simulator, or it was emptied
    else {
      show(status.messages)
      last = status.last
      loaded = true
    }
  } catch {
    document.querySelector('.lost').hidden = false
  }
  standing()
  setTimeout(look, EVERY)
}

document.querySelector('.language').onclick = () => {
  language = language === 'zh' ? 'en' : 'zh'
  localStorage.setItem('inbox-language', language)
  words()
  startOver()
}
for (const robot of ['wecom', 'dingtalk']) {
  tab(robot).onclick = () => {
    document.body.dataset.shown = robot
    unread[robot] = 0
    standing()
    const chat = phone(robot).querySelector('.chat')
    chat.scrollTop = chat.scrollHeight
  }
}
words()
startOver()
look()
