/** Rows of a table as people ask for them. Pure. A column is {key, text(row), sort?(row)}. */

/** Rows in which every word of the filter occurs somewhere, whatever the case. */
export function filtered(rows, columns, wish) {
  const words = wish.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return rows
  return rows.filter(row => {
    const text = columns.map(column => column.text(row)).join(' ').toLowerCase()
    return words.every(word => text.includes(word))
  })
}

/** A sorted copy; equal rows keep their order, empty cells come last either way. */
export function sorted(rows, column, descending) {
  if (!column) return rows
  const value = column.sort ?? column.text
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)]
    const [noX, noY] = [empty(x), empty(y)]
    if (noX || noY) return Number(noX) - Number(noY)
    const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y), 'zh')
    return descending ? -order : order
  })
}

const empty = value => value === undefined || value === null || value === '' || value === '—'

const NUMBER = /^[+-]?\d[\d,]*(\.\d+)?%?$/

/** Comma-separated, for a spreadsheet: quoted, and no cell that a spreadsheet would run as a formula. */
export function csv(rows, columns) {
  const line = cells => cells.map(quoted).join(',')
  return '\ufeff' + [line(columns.map(c => c.title)), ...rows.map(row => line(columns.map(c => c.text(row))))].join('\r\n') + '\r\n'
}

function quoted(cell) {
  const text = String(cell)
  const harmless = /^[=+\-@\t\r\n＝＋－＠]/.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return `"${harmless.replaceAll('"', '""')}"`
}
