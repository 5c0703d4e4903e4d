import assert from 'node:assert/strict'
import {readdirSync, readFileSync} from 'node:fs'
import {test} from 'node:test'

const STYLES = new URL('../../screens/static/styles/', import.meta.url)
const TOKENS = readFileSync(new URL('tokens.css', STYLES), 'utf8')
const blockOf = selector => new RegExp(`${selector.replace(/[[\]]/g, '\\$&')} \\{([^}]*)\\}`).exec(TOKENS)[1]
const colours = text => Object.fromEntries([...text.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map(found => found.slice(1, 3)))
const THEMES = {dark: colours(blockOf('[data-theme="dark"]')), light: colours(blockOf('[data-theme="light"]'))}
const SHARED = colours(TOKENS.slice(TOKENS.indexOf('An alarm looks the same')))

/** WCAG 2.2: relative luminance of both, the lighter over the darker. */
function contrast(one, other) {
  const [x, y] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return (x + 0.05) / (y + 0.05)
}

function luminance(hex) {
  const [r, g, b] = [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16) / 255).map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

for (const [theme, found] of Object.entries(THEMES)) {
  test(`text reads on every ground of the ${theme} theme: 4.5 to 1`, () => {
    for (const ground of ['ground', 'surface', 'raised']) {
      for (const text of ['text', 'text-soft']) {
        assert.ok(contrast(found[text], found[ground]) >= 4.5, `${text} on ${ground}: ${contrast(found[text], found[ground])}`)
      }
    }
    for (const ground of ['ground', 'surface']) {
      assert.ok(contrast(found['text-faint'], found[ground]) >= 4.5, `text-faint on ${ground}: ${contrast(found['text-faint'], found[ground])}`)
    }
    assert.ok(contrast(found['on-accent'], found.accent) >= 4.5)
  })

  test(`marks of states show on every ground of the ${theme} theme: 3 to 1`, () => {
    const states = Object.keys(found).filter(name => name.startsWith('state-'))
    assert.equal(states.length, 10)
    for (const state of [...states, 'bar']) {
      for (const ground of ['ground', 'surface']) {
        assert.ok(contrast(found[state], found[ground]) >= 3, `${state} on ${ground}: ${contrast(found[state], found[ground])}`)
      }
    }
  })
}

test('words on an alarm read: 4.5 to 1, on both halves of the slow alternation', () => {
  for (const priority of ['critical', 'high', 'medium', 'low']) {
    assert.ok(contrast(SHARED[`on-${priority}`], SHARED[`alarm-${priority}`]) >= 4.5, priority)
  }
  assert.ok(contrast(SHARED['on-critical'], SHARED['alarm-critical-low']) >= 4.5)
  assert.ok(contrast(SHARED['on-lost'], SHARED.lost) >= 7)
})

test('colours exist once, in tokens.css', () => {
  for (const name of readdirSync(STYLES).filter(name => name !== 'tokens.css')) {
    const found = readFileSync(new URL(name, STYLES), 'utf8').replace(/#1a0d0a/g, '').match(/#[0-9a-f]{3,8}\b(?=[^{]*[;)])/gi)
    assert.equal(found, null, `${name}: ${found}`)
  }
})
