/** The few words elements use to build themselves. Text is always set as text, never as markup. */

/** h('div.value', {hidden: true}, 'text', child): an element with classes, properties and children. */
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split('.')
  const element = document.createElement(name)
  if (classes.length) element.className = classes.join(' ')
  if (isProperties(rest[0])) set(element, rest.shift())
  element.append(...rest.filter(child => child !== null && child !== undefined && child !== false && child !== ''))
  return element
}

function isProperties(value) {
  return typeof value === 'object' && value !== null && !(value instanceof Node)
}

function set(element, properties) {
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'testid') element.dataset.testid = value
    else if (key === 'data') Object.assign(element.dataset, value)
    else if (key.startsWith('aria') || key === 'role' || key === 'for') element.setAttribute(dashed(key), value)
    else element[key] = value
  }
}

const dashed = key => (key.startsWith('aria') ? `aria-${key.slice(4).toLowerCase()}` : key)

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

/** Writes only what is new: a wall updates hundreds of texts a second, most of them unchanged. */
export function put(element, text) {
  const told = String(text)
  if (element.textContent !== told) element.textContent = told
}

export function mark(element, name, value) {
  if (value === '' || value === null || value === undefined || value === false) {
    if (name in element.dataset) delete element.dataset[name]
  } else if (element.dataset[name] !== String(value)) element.dataset[name] = String(value)
}

/**
 * Makes `parent` hold one child per item, in order; a child stays with its key. `make(key)` builds one,
 * `fill(child, item)` hands it the data.
 */
export function keyed(parent, items, keyOf, make, fill) {
  parent.kept ??= new Map()
  const wanted = new Map(items.map(item => [String(keyOf(item)), item]))
  for (const [key, child] of parent.kept) {
    if (!wanted.has(key)) {
      child.remove()
      parent.kept.delete(key)
    }
  }
  let at = parent.firstChild
  for (const [key, item] of wanted) {
    let child = parent.kept.get(key)
    if (!child) parent.kept.set(key, (child = make(key)))
    if (child === at) at = at.nextSibling
    else parent.insertBefore(child, at)
    fill(child, item)
  }
}
