// SPDX-License-Identifier: Apache-2.0
// Every small change of a JSON value that a schema can see.
'use strict'

const STRANGERS = [null, true, -1, 0, 1, 1.5, 1e21, '', 'x', 'x'.repeat(33), 'x'.repeat(65), [], {}, ['x'], { x: 1 }]

function * places (value, at = []) {
  yield at
  if (value === null || typeof value !== 'object') return
  for (const [key, inner] of Object.entries(value)) yield * places(inner, [...at, Array.isArray(value) ? Number(key) : key])
}

const inside = (value, at) => at.reduce((object, key) => object[key], value)

// A copy in which change(parent, key) has been done to one place.
function changed (value, at, change) {
  const copy = { all: structuredClone(value) }
  const way = ['all', ...at]
  change(inside(copy, way.slice(0, -1)), way[way.length - 1])
  return copy.all
}

const setTo = other => (object, key) => { object[key] = other }
const drop = (object, key) => { if (Array.isArray(object)) object.splice(key, 1); else delete object[key] }

// Yields [name, mutant]: each place left out, with another value, with one more member, doubled.
function * mutants (value) {
  for (const at of places(value)) {
    const here = inside(value, at)
    const name = at.join('.') || 'all'
    if (at.length > 0) {
      yield [`${name} left out`, changed(value, at, drop)]
      for (const other of STRANGERS) yield [`${name} = ${JSON.stringify(other)}`, changed(value, at, setTo(other))]
    }
    if (Array.isArray(here)) {
      yield [`${name} doubled`, changed(value, at, setTo([...here, ...here]))]
    } else if (here !== null && typeof here === 'object') {
      yield [`${name} with an unknown member`, changed(value, at, setTo({ ...here, unknown: 1 }))]
    }
  }
}

module.exports = { mutants }
