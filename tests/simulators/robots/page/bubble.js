/** The robots' markdown as elements. Text stays text: nothing is ever parsed as HTML. */

const INLINE = [
  // [pattern, what it becomes]
  [/^<font color="(info|comment|warning)">([^<]*)<\/font>/, (m, ctx) => h('span', {className: `tone-${m[1]}`}, inline(m[2], ctx))],
  [/^<@([\w.@-]+)>/, (m) => h('span', {className: 'mention'}, `@${m[1]}`)],
  [/^\*\*([^*]+)\*\*/, (m, ctx) => h('strong', {}, inline(m[1], ctx))],
  [/^\*([^*]+)\*/, (m, ctx) => h('em', {}, inline(m[1], ctx))],
  [/^`([^`]+)`/, (m) => h('code', {}, m[1])],
  [/^!\[([^\]]*)\]\([^)\s]*\)/, (m) => h('span', {className: 'picture'}, m[1] || '▢')],
  [/^\[([^\]]*)\]\((https?:\/\/[^)\s]+)\)/, (m, ctx) => link(m[1], m[2], ctx)],
]

/** @param {{text: string, msgtype: string, mentions: string[]}} note @returns {Node[]} */
export function rendered(note) {
  const ctx = {mentions: note.mentions}
  if (!note.msgtype.startsWith('markdown')) {
    const paragraph = h('p', {}, note.text)
    const ringing = note.mentions.map((m) => h('span', {className: 'mention'}, `@${m} `))
    return ringing.length ? [paragraph, h('p', {}, ringing)] : [paragraph]
  }
  return blocks(note.text.split('\n'), ctx)
}

function blocks(lines, ctx) {
  const out = []
  let quote = null
  for (const raw of lines) {
    const line = raw.trim()
    const quoted = line.match(/^>\s?(.*)$/)
    if (quoted) {
      if (!quote) out.push(quote = h('blockquote'))
      quote.append(row(quoted[1], ctx))
      continue
    }
    quote = null
    const heading = line.match(/^(#{1,6})\s+(.*)$/)
    if (heading) out.push(h('p', {className: 'headline'}, inline(heading[2], ctx)))
    else if (line.startsWith('- ')) out.push(h('p', {className: 'item'}, inline(line.slice(2), ctx)))
    else if (line) out.push(h('p', {}, inline(line, ctx)))
  }
  return out
}

/** A quoted line that begins with a label keeps the label apart, so that the values stand in one column. */
function row(text, ctx) {
  const label = text.match(/^(<font color="comment">[^<]*<\/font>|\*\*[^*]+\*\*)\s+(.*)$/)
  if (!label) return h('p', {}, inline(text, ctx))
  return h('p', {className: 'row'}, h('span', {className: 'label'}, inline(label[1], ctx)), h('span', {}, inline(label[2], ctx)))
}

function inline(text, ctx) {
  const out = []
  let plain = ''
  const flush = () => { if (plain) out.push(plain); plain = '' }
  while (text) {
    const at = ctx.mentions.find((m) => text.startsWith(`@${m}`))
    if (at) {
      flush()
      out.push(h('span', {className: 'mention'}, `@${at}`))
      text = text.slice(at.length + 1)
      continue
    }
    const found = INLINE.map(([pattern, make]) => [text.match(pattern), make]).find(([m]) => m)
    if (found) {
      flush()
      out.push(found[1](found[0], ctx))
      text = text.slice(found[0][0].length)
    } else {
      const next = [...text][0]
      plain += next
      text = text.slice(next.length)
    }
  }
  flush()
  return out
}

function link(text, address, ctx) {
  const a = h('a', {href: address, target: '_blank', rel: 'noopener noreferrer'}, inline(text, ctx))
  return a
}

/** One element: properties, then children (text, elements, lists of them). */
export function h(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties)
  element.append(...children.flat(Infinity))
  return element
}
