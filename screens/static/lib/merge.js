/**
 * JSON Merge Patch (RFC 7386). Returns a new value; what the patch does not touch keeps its identity,
 * so that a tile can tell by `===` that nothing of it has changed.
 */
export function mergePatch(target, patch) {
  if (!isObject(patch)) return patch
  const merged = isObject(target) ? {...target} : {}
  for (const key of Object.keys(patch)) {
    if (key === '__proto__') continue // an own key of parsed JSON that must not become a prototype
    if (patch[key] === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], patch[key])
  }
  return merged
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
