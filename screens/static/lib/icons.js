import {svg} from './dom.js'

/** Shapes on a 24 x 24 field, drawn in the colour of the text around them. State and priority differ by shape. */
const SHAPES = {
  // machine states
  executing: ['M7 4.5 20 12 7 19.5Z'],
  setup: ['M14.5 3a6 6 0 0 1 5.8 7.4L11 19.7a3 3 0 0 1-4.3-4.3L16 6.2 13 3.2a6 6 0 0 1 1.5-.2ZM8.5 16a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6Z'],
  idle: ['M6 5h4v14H6ZM14 5h4v14h-4Z'],
  starved: ['M3 10h7V5l7 7-7 7v-5H3ZM19 4h2.5v16H19Z'],
  blocked: ['M2.5 4H5v16H2.5ZM7 10h7V5l7 7-7 7v-5H7Z'],
  held: ['M8 2h8l6 6v8l-6 6H8l-6-6V8ZM7 10.5v3h10v-3Z'],
  fault: ['M12 2 23 21H1ZM10.7 9v6h2.6V9ZM10.7 16.4V19h2.6v-2.6Z'],
  maintenance: ['M4 4h7v7H4ZM13 4h7v7h-7ZM4 13h7v7H4ZM16.5 13a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Z'],
  off: ['M10.6 2h2.8v10h-2.8ZM7 5.2 8.6 7.6a6.3 6.3 0 1 0 6.8 0L17 5.2a9.2 9.2 0 1 1-10 0Z'],
  unknown: ['M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm-1.4 14h2.8v2.6h-2.8ZM12 5.2c2.5 0 4.3 1.6 4.3 3.7 0 1.7-.9 2.6-2 3.4-.7.5-1 .9-1 1.6v.6h-2.6v-.9c0-1.6.8-2.4 1.8-3.2.8-.6 1.1-.9 1.1-1.5 0-.8-.6-1.3-1.6-1.3s-1.7.6-1.8 1.7H7.6c.1-2.5 1.9-4.1 4.4-4.1Z'],
  // alarm priorities
  critical: ['M8 1.5h8L22.5 8v8L16 22.5H8L1.5 16V8ZM10.6 5.5v8h2.8v-8ZM10.6 15.4v3h2.8v-3Z'],
  high: ['M12 2 23 21H1ZM10.7 9v6h2.6V9ZM10.7 16.4V19h2.6v-2.6Z'],
  medium: ['M12 1.5 22.5 12 12 22.5 1.5 12ZM10.8 7v6h2.4V7ZM10.8 14.6V17h2.4v-2.4Z'],
  low: ['M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM10.8 10.5v6.5h2.4v-6.5ZM10.8 7v2.3h2.4V7Z'],
  // the rest
  check: ['M9.3 19.3 2.6 12.6l2.6-2.6 4.1 4.1 9.5-9.5 2.6 2.6Z'],
  clock: ['M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20Zm0 2.6a7.4 7.4 0 1 1 0 14.8 7.4 7.4 0 0 1 0-14.8ZM10.8 7v6l4.6 2.7 1.2-2-3.4-2V7Z'],
  person: ['M12 2.5a4.7 4.7 0 1 0 0 9.4 4.7 4.7 0 0 0 0-9.4ZM3 21.5c0-4.6 4-7.6 9-7.6s9 3 9 7.6Z'],
  rush: ['M13.5 1.5 4 14h6l-1.5 8.5L19 9.5h-6.5Z'],
  sound: ['M3 9v6h4l6 5V4L7 9ZM15.5 8.2v7.6c1.5-.7 2.5-2.1 2.5-3.8s-1-3.1-2.5-3.8ZM15.5 3.5v2.6c2.7.7 4.6 3.1 4.6 5.9s-1.9 5.2-4.6 5.9v2.6c4.1-.8 7.1-4.3 7.1-8.5s-3-7.7-7.1-8.5Z'],
  mute: ['M3 9v6h4l6 5V4L7 9ZM15.3 9.7l1.7-1.7 2.3 2.3L21.6 8l1.7 1.7-2.3 2.3 2.3 2.3-1.7 1.7-2.3-2.3-2.3 2.3-1.7-1.7 2.3-2.3Z'],
  unplugged: ['M4 2.3 21.7 20 20 21.7 14.6 16.3l-1 .7v4.5h-3.2V17C7.8 15.8 6 13.3 6 10.3V8.2L2.3 4ZM9 2h2.4v4.4L9 4ZM14 2h2.4v4.5H18v3.8c0 1-.2 1.9-.6 2.7L11 6.6h3Z'],
  camera: ['M8.5 4 7 6.5H3V20h18V6.5h-4L15.5 4ZM12 8.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9Zm0 2.4a2.1 2.1 0 1 0 0 4.2 2.1 2.1 0 0 0 0-4.2Z'],
  back: ['M15.5 3 6.5 12l9 9 2.3-2.3L11.1 12l6.7-6.7Z'],
  phone: ['M6 1.5h12v21H6ZM8.4 4.5v13h7.2v-13ZM11 19v1.6h2V19Z'],
}

export function icon(name) {
  const field = svg('svg', {viewBox: '0 0 24 24', 'aria-hidden': 'true', class: 'icon', 'data-icon': name})
  for (const path of SHAPES[name] ?? SHAPES.unknown) {
    field.append(svg('path', {d: path, fill: 'currentColor', 'fill-rule': 'evenodd'}))
  }
  return field
}

/** Swaps the icon inside `holder` when it is another one. */
export function putIcon(holder, name) {
  if (holder.dataset.icon === name) return
  holder.dataset.icon = name
  holder.replaceChildren(icon(name))
}
