// SPDX-License-Identifier: Apache-2.0
// Schemas and server must draw one line. Valid requests are changed in every place and every way that a schema can see,
// and both are asked.
'use strict'

const assert = require('node:assert/strict')
const { after, before, test } = require('node:test')
const { accepts } = require('./contract.cjs')
const { mutants } = require('./mutant.cjs')
const { World, envelope } = require('./world.cjs')

// Refusals of step 1 that a schema describes.
const SCHEMA_CODES = ['INVALID_SCHEMA', 'UNSUPPORTED_API_VERSION', 'UNSUPPORTED_ENCODING']

let world
before(async () => { world = await World.start() })
after(() => world && world.end())

// Bytes for whatever lengths a mutant has, so that the frame is right and the schema alone decides.
function framed (value, member) {
  const items = value && Array.isArray(value[member]) ? value[member] : []
  const lengths = items.map(item => (item && Number.isSafeInteger(item.length) && item.length > 0 ? item.length : 0))
  return envelope(value, lengths.filter(length => length > 0).map(length => Buffer.alloc(Math.min(length, 4096))))
}

async function compare (value, method, pathname, mediaType, send) {
  let [valid, invalid] = [0, 0]
  for (const [name, mutant] of [['unchanged', value], ...mutants(value)]) {
    if (mutant.stage > 0) continue // no schema knows how many stages a model has
    const expected = accepts(method, pathname, mediaType, mutant)
    const answer = await send(mutant)
    assert.ok(answer.status < 500, `${name}: ${answer.status}`)
    const refused = answer.status === 400 && SCHEMA_CODES.includes(answer.code)
    const said = `${answer.status} ${answer.code} ${answer.json && answer.json.detail}`
    assert.equal(!refused, expected, `${method} ${pathname}, ${name}: the server says ${said}`)
    if (expected) valid++; else invalid++
  }
  assert.deepEqual(world.faults, [])
  return `${valid} valid and ${invalid} invalid requests`
}

test('POST /infer as JSON', async t => {
  const value = {
    api_version: '1.0.0',
    ...world.head('dense-2x2'),
    batch_size: 2,
    inputs: [{ encoding: 'hex', payload: '00ff' }, { encoding: 'base64', payload: 'AAAA' }],
    evaluation_keys: 'a'.repeat(64),
    stage: 0
  }
  t.diagnostic(await compare(value, 'POST', '/infer', 'application/json', mutant => world.http.post('/infer', mutant)))
})

test('POST /infer in the binary form', async t => {
  const value = {
    api_version: 'v1',
    ...world.head('dense-2x2'),
    batch_size: 1,
    inputs: [{ encoding: 'binary', length: 4 }, { encoding: 'binary', length: 100 }],
    evaluation_keys: 'a'.repeat(64),
    stage: 0
  }
  const headers = { 'Content-Type': 'application/vnd.eis.infer' }
  t.diagnostic(await compare(value, 'POST', '/infer', 'application/vnd.eis.infer',
    mutant => world.http.send('POST', '/infer', { headers, body: framed(mutant, 'inputs') })))
})

test('PUT /keys', async t => {
  const parts = [{ name: 'galois', length: 7 }, { name: 'relin', length: 64 }]
  const value = { api_version: '1', ...world.head('dense-4x3'), parts }
  t.diagnostic(await compare(value, 'PUT', '/keys/{digest}', 'application/vnd.eis.infer',
    mutant => world.http.putKeys(framed(mutant, 'parts'))))
})

test('POST /infer/plain', async t => {
  const value = { api_version: '1.0', ...world.head('dense-2x2'), inputs: [0.5, -1] }
  t.diagnostic(await compare(value, 'POST', '/infer/plain', 'application/json',
    mutant => world.http.post('/infer/plain', mutant)))
})

// What JSON Schema cannot say, and strict JSON does.
test('texts that are no JSON values', async () => {
  const send = body => world.http.send('POST', '/infer', { headers: { 'Content-Type': 'application/json' }, body })
  const good = JSON.stringify({ ...world.head('dense-2x2'), inputs: [{ encoding: 'hex', payload: '00' }] })
  assert.equal((await send(good)).code, 'INVALID_CIPHERTEXT')
  const twice = good.replace('{', '{"version":"1.0.0",')
  const payloads = ['1e999', '"\\ud800"', 'NaN'].map(text => good.replace('"00"', text))
  const bad = [twice, good + '}', `\ufeff${good}`, ...payloads, '']
  for (const body of bad) assert.equal((await send(body)).code, 'INVALID_SCHEMA', body)
  assert.equal((await send(Buffer.from(good.replace('00', '\u00ff'), 'latin1'))).code, 'INVALID_SCHEMA')
  assert.deepEqual(world.faults, [])
})
