/** Two states of a document as a difference that people read. Pure. */

/** {rows: [{name, before, after, kind: changed | added | gone}], same: [{name, after}]}: nested fields by their dotted names. */
export function difference(before, after) {
  const [old, fresh] = [flat(before), flat(after)]
  const names = [...new Set([...old.keys(), ...fresh.keys()])]
  const rows = []
  const same = []
  for (const name of names) {
    const [a, b] = [old.get(name), fresh.get(name)]
    if (a === b) same.push({name, after: b})
    else if (a === undefined || a === '') rows.push({name, before: '', after: b, kind: 'added'})
    else if (b === undefined || b === '') rows.push({name, before: a, after: '', kind: 'gone'})
    else rows.push({name, before: a, after: b, kind: 'changed'})
  }
  return {rows: rows.filter(row => row.before !== row.after), same: same.filter(row => row.after !== '')}
}

function flat(value, name = '', found = new Map()) {
  if (value === null || value === undefined) {
    if (name) found.set(name, '')
  } else if (Array.isArray(value) && value.every(item => typeof item !== 'object' || item === null)) found.set(name, value.join(', '))
  else if (typeof value === 'object') for (const [key, inner] of Object.entries(value)) flat(inner, name ? `${name}.${key}` : key, found)
  else found.set(name, String(value))
  return found
}

/** The newest page laid over what was loaded before; ids fall. `next`: the id it goes on behind; null: it has all there is. */
export function overlaid(fresh, known, next) {
  return next === null || next === undefined ? fresh : [...fresh, ...known.filter(row => row.id < next)]
}
