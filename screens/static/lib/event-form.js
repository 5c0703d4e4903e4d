/** An event of an MES as fields that a person can fill in, and back again. Pure. */

const WHOLE = ['id', 'order', 'operation', 'at']
const MADE = ['equipment', 'person']

/** Of each type what docs/mes.md knows, the needed ones first. */
export const FIELDS = {
  order: ['id', 'number', 'product', 'product_name', 'quantity', 'due_at', 'priority', 'rush', 'customer', 'sales_order', 'jobs'],
  report: [...WHOLE, 'good', 'scrap', 'rework', 'state', ...MADE, 'labour_seconds', 'corrects'],
  posting: [...WHOLE, 'kind', 'item', 'quantity', 'unit', 'lot', 'warehouse', 'check', 'passed', 'value', 'reason', 'labour_seconds', 'machine_seconds', ...MADE],
  labour: [...WHOLE, 'labour_seconds', 'machine_seconds', ...MADE],
  quality: [...WHOLE, 'check', 'passed', 'value', 'unit', 'item', 'lot', 'quantity', 'sample_size', 'reason', ...MADE],
  material: [...WHOLE, 'item', 'quantity', 'unit', 'lot', 'warehouse', ...MADE],
  stock: [...WHOLE, 'direction', 'item', 'quantity', 'unit', 'lot', 'warehouse', ...MADE],
}
const NUMBERS = new Set(['quantity', 'priority', 'good', 'scrap', 'rework', 'labour_seconds', 'machine_seconds', 'sample_size'])
const FLAGS = new Set(['rush', 'passed'])
const CHOICES = {
  type: Object.keys(FIELDS), state: ['waiting', 'running', 'inspection', 'done'],
  kind: ['receipt', 'issue', 'quality', 'hours', 'scrap'], direction: ['in', 'out'], rush: ['true', 'false'], passed: ['true', 'false'],
}

/** The event that a text is, null when it is none that has fields. */
export function eventOf(text) {
  try {
    const found = JSON.parse(text)
    return found && typeof found === 'object' && !Array.isArray(found) ? found : null
  } catch {
    return null
  }
}

/** [{name, text, choices, known}]: what it has and what its type knows; what we do not know comes last. */
export function fieldsOf(event) {
  const known = FIELDS[event.type] ?? WHOLE
  const others = Object.keys(event).filter(name => name !== 'type' && !known.includes(name))
  return ['type', ...known, ...others].map(name => ({name, text: textOf(event[name]), long: typeof event[name] === 'object' && event[name] !== null, choices: choicesOf(event, name), known: name === 'type' || known.includes(name)}))
}

/** The event with what was written into its fields; an empty one is left out. */
export function written(event, texts) {
  const made = {}
  for (const [name, text] of Object.entries(texts)) {
    if (text === textOf(event[name])) {
      if (event[name] !== undefined) made[name] = event[name]
    } else if (text.trim() !== '') made[name] = valueOf(name, text.trim(), event[name])
  }
  return made
}

/** What is not among the choices stays to be seen. */
function choicesOf(event, name) {
  const choices = CHOICES[name]
  if (!choices || (name === 'state' && event.type === 'order')) return null
  const now = textOf(event[name])
  return ['', ...choices, ...(now && !choices.includes(now) ? [now] : [])]
}

function textOf(value) {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value, null, 2) : String(value)
}

function valueOf(name, text, before) {
  if (FLAGS.has(name) && /^(true|false)$/.test(text)) return text === 'true'
  if ((NUMBERS.has(name) || typeof before === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (name === 'jobs' || (typeof before === 'object' && before !== null)) {
    try {
      return JSON.parse(text)
    } catch {
      return text
    }
  }
  return text
}
