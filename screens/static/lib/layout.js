/**
 * How to lay a plant out on a wall. Pure: lengths are design pixels (a 1920 x 1080 wall has as many).
 *
 * Lines become cards in a grid; a card has its sums at the left or on top, and its machines as tiles.
 * Three details of a tile, each drawn for an ideal size: full (numbers), brief (state and name), mark (icon
 * and short name). The most detailed one whose letters stay large enough is taken; what still has no room
 * is counted, never squeezed.
 */
export const DETAILS = [
  {detail: 'full', width: 345, height: 176, least: 0.88, tall: {width: 255, height: 312}},
  {detail: 'brief', width: 215, height: 92, least: 0.88},
  {detail: 'mark', width: 108, height: 50, least: 0.85},
]
const GAP = 12
const SIDES = {
  left: {width: 350, height: 184},
  top: {width: 1400, height: 70},
  stack: {width: 900, height: 92}, // the sums above, in two rows
}
const MOST_COLUMNS = 4

/** {columns, side, across, detail, scale, shownLines, shownMachines, hidden}; `counts` is machines per line. */
export function arrange(width, height, counts) {
  let lines = counts
  let cut = Infinity
  for (;;) {
    const found = best(width, height, lines.map(n => Math.min(n, cut)))
    if (found || (lines.length <= 1 && cut <= 2)) return result(found, lines, cut, counts)
    const widest = Math.max(...lines.map(n => Math.min(n, cut)))
    if (widest > 12) cut = widest - Math.ceil(widest / 10)
    else if (lines.length > 1) lines = lines.slice(0, -1)
    else cut = widest - 1
  }
}

function result(found, lines, cut, counts) {
  const shownMachines = Math.max(1, Math.min(cut, Math.max(1, ...lines)))
  const shown = lines.reduce((sum, n) => sum + Math.min(n, shownMachines), 0)
  const fallback = {columns: 1, side: 'top', across: 1, detail: 'mark', scale: 0.85}
  return {
    ...(found ?? fallback),
    shownLines: lines.length,
    shownMachines,
    hidden: counts.reduce((sum, n) => sum + n, 0) - shown,
  }
}

function best(width, height, counts) {
  for (const ideal of DETAILS) {
    const fits = candidates(width, height, counts, ideal).filter(c => c.scale >= ideal.least)
    if (fits.length) return fits.reduce((a, b) => (b.worth > a.worth * 1.02 ? b : a))
  }
  return null
}

function candidates(width, height, counts, ideal) {
  const found = []
  const most = Math.max(1, ...counts)
  for (let columns = 1; columns <= Math.min(MOST_COLUMNS, counts.length || 1); columns++) {
    const card = cell(width, height, columns, Math.ceil(Math.max(1, counts.length) / columns))
    for (const side of Object.keys(SIDES)) {
      const room = besides(card, side, ideal)
      for (let across = 1; across <= most; across++) {
        const tile = cell(room.width, room.height, across, Math.ceil(most / across))
        const drawn = Math.max(fit(tile, ideal), fit(tile, ideal.tall))
        const scale = room.sums < 0.95 ? Math.min(drawn, room.sums * 1.1) : drawn
        const holes = 1 - most / (across * Math.ceil(most / across))
        found.push({columns, side, across, detail: ideal.detail, scale, worth: scale * (1 - holes / 2)})
      }
    }
  }
  return found
}

const fit = (tile, drawn) => (drawn ? Math.min(tile.width / drawn.width, tile.height / drawn.height) : 0)

/** What a card leaves for its machines, and at what scale its sums are then drawn. */
function besides(card, side, ideal) {
  const wish = SIDES[side]
  if (side === 'left') {
    const taken = ideal.detail === 'mark' ? Math.max(290, card.width * 0.24) : Math.max(290, card.width * 0.265)
    const sums = ideal.detail === 'mark' ? Math.min(1, card.height / 50) : Math.min(taken / wish.width, card.height / wish.height)
    return {width: card.width - taken - GAP, height: card.height, sums: ideal.detail === 'brief' ? Math.min(1, card.height / 92) : sums}
  }
  if (side === 'stack') {
    const rows = Math.min(Math.max(92, card.height * 0.24), 130)
    return {width: card.width, height: card.height - rows - GAP, sums: Math.min(card.width / wish.width, rows / 92)}
  }
  const taken = Math.min(Math.max(52, card.height * 0.24), 100)
  return {width: card.width, height: card.height - taken - GAP, sums: Math.min(card.width / wish.width, taken / 60)}
}

function cell(width, height, across, down) {
  return {width: (width - (across - 1) * GAP) / across, height: (height - (down - 1) * GAP) / down}
}

/** How many rows of a list can be shown in `height`, leaving `word` for a line "n more" when not all fit. */
export function rowsThatFit(height, rowHeight, gap, count, word = 0) {
  const fits = room => Math.max(0, Math.floor((room + gap) / (rowHeight + gap)))
  return count <= fits(height) ? count : fits(height - word)
}
