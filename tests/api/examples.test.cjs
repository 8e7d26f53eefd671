// SPDX-License-Identifier: Apache-2.0
// Examples that are not true mislead more than none: each is validated by the schemas, and replayed.
'use strict'

const assert = require('node:assert/strict')
const { after, before, test } = require('node:test')
const { accepts, api, checkExchange, operationOf, readSpec } = require('./contract.cjs')
const { SAMPLES, filled, load, names, replay } = require('./examples.cjs')
const { World } = require('./world.cjs')

let world
before(async () => { world = await World.start() })
after(() => world && world.end())

// Names stand for numbers in two places, which are numbers for the schemas.
function numbers (value) {
  if (value === null || typeof value !== 'object') return
  for (const [key, inner] of Object.entries(value)) {
    if ((key === 'retry_after_s' || key === 'error') && typeof inner === 'string') value[key] = Number(inner)
    else numbers(inner)
  }
}

// An exchange as a client would have seen it, from the file alone.
function sample (exchange) {
  const known = { ...SAMPLES, ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`ciphertext ${i}`, '5ea1'])) }
  for (let i = 0; i < 8; i++) known[`base64 ${i}`] = 'XqE='
  const { request, response } = filled(exchange, known)
  const file = response.file && readSpec(response.file.replace('spec/', ''))
  const type = response.headers['content-type'] || ''
  const json = response.envelope ? response.envelope.json : file && /json/.test(type) ? JSON.parse(file) : response.json
  numbers(json)
  const text = file || response.text || (json === undefined ? '' : JSON.stringify(json))
  return {
    request,
    status: response.status,
    headers: { ...response.headers, 'cache-control': 'no-store' },
    type: type.split(';')[0].trim(),
    bytes: Buffer.from(text),
    json,
    code: json && json.error && json.error.code
  }
}

for (const name of names) {
  const example = load(name)
  test(`${name}: the schemas accept it`, () => {
    for (const exchange of example.exchanges) {
      const seen = sample(exchange)
      checkExchange(seen)
      const { method, path, json, envelope } = seen.request
      const value = envelope ? envelope.json : json
      if (value === undefined || [401, 403, 413, 415, 429].includes(seen.status)) continue // decided before the schema
      const valid = accepts(method, path, envelope ? 'application/vnd.eis.infer' : 'application/json', value)
      const refused = ['INVALID_SCHEMA', 'UNSUPPORTED_ENCODING', 'UNSUPPORTED_API_VERSION'].includes(seen.code)
      assert.equal(valid, !refused, `${method} ${path}`)
    }
  })

  test(`${name}: a server gives these answers`, async () => {
    const answers = await replay(world, example)
    assert.deepEqual(world.faults, [])
    example.exchanges.forEach((exchange, i) => assert.deepEqual(answers[i], exchange.response))
  })
}

test('there is an example of every operation', () => {
  const used = names.flatMap(name => load(name).exchanges).map(({ request }) => {
    const found = operationOf(request.method, filled(request.path, SAMPLES))
    return found && found.operation && found.operation.operationId
  })
  for (const item of Object.values(api.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (method !== 'parameters') assert.ok(used.includes(operation.operationId), operation.operationId)
    }
  }
})
