// SPDX-License-Identifier: Apache-2.0
// A running server against the normative files: every answer of every test here is validated, and at the end every
// operation must have been seen.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { after, before, test } = require('node:test')
const yaml = require('js-yaml')
const { api, readSpec, schemaNames } = require('./contract.cjs')
const { World, textRequest, binaryRequest, envelope, sha256, ciphertextsOf } = require('./world.cjs')

const JOB = '0'.repeat(32)
const DIGEST = 'a'.repeat(64)
let world, http, batch, single, inputs

before(async () => {
  world = await World.start()
  http = world.http
  batch = world.sealClient('dense-2x2')
  single = world.sealClient('dense-4x3')
  inputs = batch.encrypt([[0.25, -0.5], [0.5, 1]], { seeded: true })
})
after(() => world && world.end())

// An answer must be valid and have this status and code.
async function expect (answer, status, code) {
  const got = await answer
  if (world.faults.length > 0) throw world.faults.pop()
  assert.equal(`${got.status} ${got.code || ''}`.trim(), `${status} ${code || ''}`.trim(), JSON.stringify(got.json))
  return got
}
function request (over = {}, ciphertexts = inputs) {
  return { ...textRequest({ ...world.head('dense-2x2'), batch_size: 2 }, 'hex', ciphertexts), ...over }
}
const infer = (value, headers) => http.post('/infer', value, headers)

test('what a server says of itself', async () => {
  await expect(http.get('/health'), 200)
  await expect(http.get('/health/ready'), 200)
  const first = await expect(http.get('/models'), 200)
  assert.equal(first.json.models.length, 3)
  assert.deepEqual((await expect(http.get('/models'), 200)).bytes, first.bytes)
  assert.ok(first.json.models.every(entry => entry.parameters === undefined), 'weights are published')
  await expect(http.get('/keys'), 200)
  const metrics = await expect(http.get('/metrics'), 200)
  assert.match(metrics.bytes.toString(), /^eis_he_\w+/m)
  assert.match(metrics.bytes.toString(), /# EOF\n$/)
})

test('the normative files are given out as they are', async () => {
  const served = await expect(http.get('/openapi.yaml'), 200)
  assert.equal(served.bytes.toString(), readSpec('openapi.yaml'))
  const json = await expect(http.get('/openapi.json'), 200)
  assert.equal(json.bytes.toString(), readSpec('openapi.json'))
  assert.deepEqual(json.json, yaml.load(served.bytes.toString(), { schema: yaml.CORE_SCHEMA }))
  for (const name of schemaNames) {
    const schema = await expect(http.get(`/schemas/${name}`), 200)
    assert.equal(schema.bytes.toString(), readSpec(`schemas/${name}`), name)
  }
  await expect(http.get('/schemas/none.json'), 404, 'NOT_FOUND')
  await expect(http.get('/schemas/..%2fopenapi.yaml'), 404, 'NOT_FOUND')
})

test('a request in each form, answered in each form', async () => {
  const forms = { 'application/json': ['hex', 'base64'], 'application/vnd.eis.infer': ['binary'] }
  for (const [type, encodings] of Object.entries(forms)) {
    for (const encoding of encodings) {
      const head = { ...world.head('dense-2x2'), batch_size: 2 }
      const send = () => type === 'application/json'
        ? infer(textRequest(head, encoding, inputs))
        : http.postBinary('/infer', binaryRequest(head, inputs), inputs)
      const accepted = await expect(send(), 202)
      assert.equal(accepted.headers.location, `/jobs/${accepted.json.job_id}`)
      const done = await expect(http.job(accepted.json.job_id), 200)
      assert.equal(done.json.status, 'completed')
      assert.equal(done.json.result.encoding, encoding)
      assert.deepEqual(done.json.result.diagnostics, { requested_batch_size: 2, processed_batch_size: 2, batch_truncated: false })
      const json = await expect(http.get(`/jobs/${accepted.json.job_id}`, { Accept: 'application/json' }), 200)
      assert.equal(json.json.result.encoding, encoding === 'base64' ? 'base64' : 'hex')
      const binary = await expect(http.get(`/jobs/${accepted.json.job_id}`, { Accept: 'application/vnd.eis.infer' }), 200)
      assert.equal(binary.json.result.encoding, 'binary')
      assert.deepEqual(ciphertextsOf(json), ciphertextsOf(binary), 'a result changes')
      assert.equal(batch.decrypt(ciphertextsOf(binary), 2).length, 2)
    }
  }
})

test('waiting for the answer', async () => {
  const done = await expect(infer(request(), { Prefer: 'wait=30' }), 200)
  assert.equal(done.json.status, 'completed')
  await expect(infer(request(), { Prefer: 'respond-async' }), 202)
})

test('evaluation keys', async () => {
  const sent = single.encrypt([[1, 2, 3, 4]])
  const value = textRequest(world.head('dense-4x3'), 'hex', sent)
  await expect(infer(value), 409, 'EVALUATION_KEYS_REQUIRED')
  await expect(infer({ ...value, evaluation_keys: DIGEST }), 409, 'EVALUATION_KEYS_REQUIRED')
  const body = single.keysBody()
  const digest = sha256(body)
  await expect(http.send('HEAD', `/keys/${digest}`), 404)
  const stored = await expect(http.putKeys(body), 201)
  assert.equal(stored.json.digest, digest)
  assert.ok(Date.parse(stored.json.expires_at) > Date.now())
  await expect(http.putKeys(body), 200)
  await expect(http.send('HEAD', `/keys/${digest}`), 200)
  const accepted = await expect(infer({ ...value, evaluation_keys: digest }), 202)
  assert.equal((await expect(http.job(accepted.json.job_id), 200)).json.status, 'completed')
  await expect(http.send('DELETE', `/keys/${digest}`), 204)
  await expect(http.send('DELETE', `/keys/${digest}`), 404, 'KEYS_NOT_FOUND')
  await expect(infer({ ...value, evaluation_keys: digest }), 409, 'EVALUATION_KEYS_REQUIRED')

  const type = { 'Content-Type': 'application/vnd.eis.infer' }
  await expect(http.send('PUT', `/keys/${DIGEST}`, { headers: type, body }), 400, 'DIGEST_MISMATCH')
  await expect(http.putKeys(body, { 'Content-Type': 'application/json' }), 415, 'UNSUPPORTED_MEDIA_TYPE')
  const junk = Buffer.alloc(100)
  const parts = [{ name: 'galois', length: junk.length }]
  await expect(http.putKeys(envelope({ ...world.head('dense-4x3'), parts }, [junk])), 400, 'INVALID_CIPHERTEXT')
  await expect(http.putKeys(envelope({ model_id: 'none', version: '1', parts }, [junk])), 404, 'MODEL_NOT_FOUND')
  const { galois_elements: elements } = single.entry.evaluation_keys
  assert.ok(elements.length > 1)
  const few = { relin: false, public: false, galois_elements: elements.slice(1) }
  const foreign = new single.constructor(world.seal, { ...single.entry, evaluation_keys: few })
  await expect(http.putKeys(foreign.keysBody()), 422, 'KEYS_INSUFFICIENT')
  await expect(http.putKeys(body.subarray(0, -1)), 400, 'INVALID_SCHEMA')
})

// Ciphertexts with one fault each. Offsets are those of a SEAL 4.1 ciphertext.
function bent (change, ciphertext = inputs[0]) {
  const bytes = Buffer.from(ciphertext)
  return [change(bytes) || bytes, inputs[1]]
}

test('faults of a request, one by one', async () => {
  const raw = (body, type) => http.send('POST', '/infer', { headers: { 'Content-Type': type }, body })
  await expect(raw('[]', 'application/json'), 400, 'INVALID_SCHEMA')
  await expect(raw('{"model_id"', 'application/json'), 400, 'INVALID_SCHEMA')
  await expect(raw('x', 'text/plain'), 415, 'UNSUPPORTED_MEDIA_TYPE')
  await expect(infer(request(), { 'Content-Encoding': 'gzip' }), 415, 'UNSUPPORTED_MEDIA_TYPE')
  await expect(infer(request({ api_version: 'v2' })), 400, 'UNSUPPORTED_API_VERSION')
  await expect(infer(request({ api_version: 'v1' })), 202)
  await expect(infer(request({ model_id: 'none' })), 404, 'MODEL_NOT_FOUND')
  await expect(infer(request({ version: '9.9.9' })), 404, 'MODEL_NOT_FOUND')
  await expect(infer(request({ batch_size: 1000000 })), 400, 'BATCH_TOO_LARGE')
  await expect(infer(request({}, inputs.slice(0, 1))), 400, 'INPUT_COUNT')
  await expect(infer(request({ inputs: [{ encoding: 'rot13', payload: '00' }] })), 400, 'UNSUPPORTED_ENCODING')
  await expect(infer(request({ inputs: [{ encoding: 'hex', payload: '0' }] })), 400, 'INVALID_ENCODING')
  const noHex = { encoding: 'hex', payload: 'zz'.repeat(inputs[0].length) }
  await expect(infer(request({ inputs: [noHex, noHex] })), 400, 'INVALID_ENCODING')
  await expect(infer(request({}, bent(b => { b[0] = 0 }))), 400, 'INVALID_CIPHERTEXT')
  await expect(infer(request({}, bent(b => b.subarray(1)))), 400, 'INVALID_CIPHERTEXT')
  await expect(infer(request({}, bent(b => { b[16] ^= 1 }))), 409, 'CIPHERTEXT_INCOMPATIBLE')
  await expect(infer(request({}, bent(b => { b[48] = 0 }))), 400, 'INVALID_CIPHERTEXT')
  await expect(infer(request({}, bent(b => { b.writeDoubleLE(-1, 73) }))), 400, 'INVALID_CIPHERTEXT')
  await expect(infer(request({}, bent(b => { b.writeDoubleLE(2 ** 45, 73) }))), 409, 'SCALE_MISMATCH')
})

test('a level that is not the model\'s', async () => {
  const evaluator = world.seal.Evaluator(single.context)
  const lower = evaluator.cipherModSwitchToNext(single.load(single.encrypt([[1, 2, 3, 4]])[0]))
  const keys = (await expect(http.putKeys(single.keysBody()), 201)).json.digest
  const bytes = Buffer.from(lower.saveArray(world.seal.ComprModeType.zstd)) // so that its size tells nothing
  const value = textRequest({ ...world.head('dense-4x3'), evaluation_keys: keys }, 'hex', [bytes])
  await expect(infer(value), 409, 'LEVEL_MISMATCH')
})

test('of two faults the earlier step decides', async () => {
  const wrongSize = [{ encoding: 'hex', payload: '00' }]
  await expect(infer({ ...request(), model_id: 'none', inputs: wrongSize, extra: 1 }), 400, 'INVALID_SCHEMA')
  await expect(infer({ ...request(), model_id: 'none', inputs: wrongSize }), 404, 'MODEL_NOT_FOUND')
  await expect(infer({ ...request(), batch_size: 1000000, inputs: wrongSize }), 400, 'INVALID_CIPHERTEXT')
  const foreign = [{ encoding: 'hex', payload: 'XqEQBAEA/+==' }] // base64 that says it is hex
  await expect(infer({ ...request(), batch_size: 1000000, inputs: foreign }), 400, 'INVALID_ENCODING')
  const late = [{ encoding: 'hex', payload: '00'.repeat(2048) + 'zz' }]
  await expect(infer({ ...request(), batch_size: 1000000, inputs: late }), 400, 'INVALID_CIPHERTEXT')
  await expect(infer({ ...request({}, bent(b => { b[16] ^= 1 })), batch_size: 1000000 }), 409, 'CIPHERTEXT_INCOMPATIBLE')
  await expect(infer({ ...request({}, inputs.slice(0, 1)), batch_size: 1000000 }), 400, 'INPUT_COUNT')
})

test('jobs and paths that are not there', async () => {
  await expect(http.get(`/jobs/${JOB}`), 404, 'JOB_NOT_FOUND')
  await expect(http.get('/jobs/x'), 404, 'JOB_NOT_FOUND')
  await expect(http.get('/nothing'), 404, 'NOT_FOUND')
  await expect(http.get('/infer'), 405, 'METHOD_NOT_ALLOWED')
  await expect(http.send('DELETE', '/models'), 405, 'METHOD_NOT_ALLOWED')
  await expect(http.get('/models', { Host: 'elsewhere.invalid' }), 403, 'FORBIDDEN')
})

test('jobs belong to a tenant', async () => {
  const accepted = await expect(infer(request(), { 'X-Tenant-ID': 'one' }), 202)
  await expect(http.get(`/jobs/${accepted.json.job_id}`, { 'X-Tenant-ID': 'two' }), 404, 'JOB_NOT_FOUND')
  await expect(http.get(`/jobs/${accepted.json.job_id}`), 404, 'JOB_NOT_FOUND')
  await expect(http.job(accepted.json.job_id, { 'X-Tenant-ID': 'one' }), 200)
  const blank = await expect(infer(request(), { 'X-Tenant-ID': ' ' }), 202)
  await expect(http.job(blank.json.job_id, { 'X-Tenant-ID': 'default' }), 200)
  await expect(infer(request(), { 'X-Tenant-ID': 'not allowed' }), 400, 'INVALID_SCHEMA')
})

test('one key, one job', async () => {
  const key = { 'Idempotency-Key': 'key-1' }
  const first = await expect(infer(request(), key), 202)
  for (let i = 0; i < 3; i++) assert.equal((await infer(request(), key)).json.job_id, first.json.job_id)
  await expect(infer(request({ batch_size: 1 }), key), 422, 'IDEMPOTENCY_REUSED')
  const other = await expect(infer(request(), { ...key, 'X-Tenant-ID': 'one' }), 202)
  assert.notEqual(other.json.job_id, first.json.job_id)
  await expect(infer(request(), { 'Idempotency-Key': 'x'.repeat(129) }), 400, 'INVALID_SCHEMA')
  // A refused request leaves its key free.
  await expect(infer(request({ batch_size: 1000000 }), { 'Idempotency-Key': 'key-2' }), 400, 'BATCH_TOO_LARGE')
  await expect(infer(request(), { 'Idempotency-Key': 'key-2' }), 202)
})

test('numbers in the clear, where the operator wants that', async () => {
  const plain = await expect(http.post('/infer/plain', { ...world.head('dense-2x2'), inputs: [0.25, -0.5] }), 200)
  const accepted = await expect(infer(request()), 202)
  const [sealed] = batch.decrypt(ciphertextsOf(await expect(http.job(accepted.json.job_id), 200)), 2)
  plain.json.outputs.forEach((v, i) => assert.ok(Math.abs(v - sealed[i]) < 1e-3, `${v} and ${sealed[i]}`))
  await expect(http.post('/infer/plain', { ...world.head('dense-2x2'), inputs: [1] }), 400, 'INPUT_COUNT')
  await expect(http.post('/infer/plain', { model_id: 'none', version: '1', inputs: [1] }), 404, 'MODEL_NOT_FOUND')
  const { http: other } = await world.another()
  await expect(other.post('/infer/plain', { ...world.head('dense-2x2'), inputs: [1, 2] }), 404, 'NOT_FOUND')
})

test('quotas, tokens and limits of a body', async () => {
  const file = path.join(world.scratch.dir, 'token')
  fs.writeFileSync(file, 'a-token-of-a-test-0123456789\n', { mode: 0o600 })
  const { http: strict } = await world.another('--rate', '2', '--token-file', file)
  const token = { Authorization: 'Bearer a-token-of-a-test-0123456789' }
  await expect(strict.get('/health'), 200)
  await expect(strict.get('/models'), 401, 'UNAUTHENTICATED')
  await expect(strict.get('/models', token), 200)
  const first = await expect(strict.post('/infer', request(), token), 202)
  assert.equal(first.headers['ratelimit-limit'], '2')
  await expect(strict.post('/infer', request(), token), 202)
  await expect(strict.post('/infer', request(), token), 429, 'RATE_LIMITED')
  const { http: small } = await world.another('--strict-hex')
  await expect(small.post('/infer', textRequest(world.head('dense-2x2'), 'base64', inputs)), 400, 'UNSUPPORTED_ENCODING')
  const huge = { headers: { 'Content-Type': 'application/json', 'Content-Length': String(2 ** 40) }, body: 'x' }
  await expect(small.send('POST', '/infer', huge), 413, 'PAYLOAD_TOO_LARGE')
})

test('SIGTERM ends a server in order', async () => {
  const { server, http: other } = await world.another()
  await expect(other.get('/health/ready'), 200)
  server.child.kill('SIGTERM')
  assert.deepEqual(await server.ended, { code: 0, signal: null })
})

test('every operation has been seen to succeed', () => {
  assert.deepEqual(world.faults, [])
  for (const [template, item] of Object.entries(api.paths)) {
    for (const method of Object.keys(item).filter(name => name !== 'parameters')) {
      const seen = [...(world.seen.get(`${method.toUpperCase()} ${template}`) || [])]
      const wanted = Object.keys(item[method].responses).filter(status => status < '300')
      for (const status of wanted) assert.ok(seen.includes(status), `${method} ${template}: no ${status}, only ${seen}`)
    }
  }
})
