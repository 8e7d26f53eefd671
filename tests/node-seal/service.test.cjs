// SPDX-License-Identifier: Apache-2.0
// A foreign client of the Encrypted Inference API from end to end: node-seal makes the keys, encrypts and decrypts, our
// server computes. What the client knows it has from GET /models and docs/api.md.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { after, before, test } = require('node:test')

const root = process.env.EIS_TEST_ROOT || path.resolve(__dirname, '../..')
const support = name => require(path.join(root, 'tests/support', name))
const { Http, textRequest, binaryRequest, ciphertextsOf } = support('api_client.cjs')
const { addDense, generator, makeScratch, startServer } = support('api_server.cjs')
const { SealClient, universalForm } = support('api_seal.cjs')

const scratch = makeScratch()
let seal, http, models, dense, square, rounds

before(async () => {
  seal = await require('node-seal')()
  const registry = path.join(scratch.dir, 'registry')
  fs.mkdirSync(registry)
  fs.copyFileSync(path.join(root, 'models/registry/logistic_v1.json'), path.join(registry, 'logistic_v1.json'))
  dense = addDense(registry, { id: 'dense-256x10', sizes: [256, 10], seed: 1, chain: 'P0', form: 'single' })
  square = addDense(registry, { id: 'dense-200x150', sizes: [200, 150], seed: 4, chain: 'A', form: 'single' })
  rounds = addDense(registry, { id: 'rounds', sizes: [12, 20, 7, 3], seed: 6, chain: 'A', interactive: true })
  const server = await startServer(scratch, registry, '--rate', '100000', '--poll-rate', '100000')
  http = new Http(server.url)
  models = (await http.get('/models')).json.models
})
after(() => { http && http.close(); scratch.end() })

const entryOf = id => models.find(entry => entry.model_id === id)
const worst = (x, y) => x.reduce((largest, v, i) => Math.max(largest, Math.abs(v - y[i])), 0)

// Sends a request, waits for its job, and gives the ciphertexts of the answer.
async function infer (client, ciphertexts, { form = 'hex', keys, batch = 1, stage } = {}) {
  const { model_id: modelId, version } = client.entry
  const head = { model_id: modelId, version, batch_size: batch, evaluation_keys: keys, stage } // undefined ones are not sent
  const accepted = form === 'binary'
    ? await http.postBinary('/infer', binaryRequest(head, ciphertexts), ciphertexts)
    : await http.post('/infer', textRequest(head, form, ciphertexts))
  assert.equal(accepted.status, 202, JSON.stringify(accepted.json))
  const done = await http.job(accepted.json.job_id)
  assert.equal(done.json.status, 'completed', JSON.stringify(done.json))
  assert.equal(done.json.result.encoding, form)
  assert.equal(done.json.result.diagnostics.processed_batch_size, batch)
  return ciphertextsOf(done)
}

const versionOf = bytes => [bytes[3], bytes[4]]

// Every form of a ciphertext that node-seal can make, with the header version that the answer must have.
function forms (client, x) {
  const { none, zlib, zstd } = seal.ComprModeType
  const full = client.encrypt(x)
  return {
    full: { sent: full, version: [4, 1] },
    'full, universal form': { sent: full.map(universalForm), version: [3, 6] },
    seeded: { sent: client.encrypt(x, { seeded: true }), version: [4, 1] },
    'seeded, universal form': { sent: client.encrypt(x, { seeded: true, mode: none }).map(universalForm), version: [3, 6] },
    'seeded, zstd': { sent: client.encrypt(x, { seeded: true, mode: zstd }), version: [4, 1] },
    'full, zlib': { sent: client.encrypt(x, { mode: zlib }), version: [4, 1] }
  }
}

test('the parameters that the server names are those of SEAL', async () => {
  const keys = (await http.get('/keys')).json.models
  for (const entry of models) {
    const client = new SealClient(seal, entry)
    assert.deepEqual(entry.coeff_modulus, client.primes)
    const { parms_ids: ids } = keys.find(key => key.model_id === entry.model_id)
    assert.deepEqual(ids, client.parmsIds(), entry.model_id)
  }
})

test('logistic_v1, one ciphertext per feature as hex, 16 samples', async t => {
  const entry = entryOf('logistic_v1')
  const client = new SealClient(seal, entry)
  const published = JSON.parse(fs.readFileSync(path.join(root, 'models/registry/logistic_v1.json'), 'utf8'))
  const { weights, bias } = published.parameters
  const [c0, c1, c2] = published.activation_parameters.coefficients
  const next = generator(2)
  const x = Array.from({ length: 16 }, () => Array.from({ length: 8 }, next))
  const z = x.map(sample => sample.reduce((sum, v, i) => sum + weights[i] * v, bias))
  const y = z.map(v => c0 + c1 * v + c2 * v * v)
  assert.equal(entry.encryption_parameters.scale, 2 ** 30)
  for (const [name, { sent, version }] of Object.entries(forms(client, x))) {
    const answer = await infer(client, sent, { batch: 16 })
    assert.deepEqual(versionOf(answer[0]), version, name)
    const error = worst(client.decrypt(answer, 16).map(values => values[0]), y)
    t.diagnostic(`${name}: error ${error.toExponential(1)}`)
    assert.ok(error <= 1e-3, `${name}: ${error}`)
  }
})

test('a dense layer 256 -> 10 in one ciphertext, keys of node-seal', async t => {
  const entry = entryOf('dense-256x10')
  const client = new SealClient(seal, entry)
  assert.equal(entry.encryption_parameters.scale, 2 ** 40)
  assert.equal(entry.stages[0].packing.kind, 'rows')
  const next = generator(3)
  const x = Float64Array.from({ length: 256 }, next)
  const y = dense(x)
  const { none, zstd } = seal.ComprModeType
  for (const [what, options] of Object.entries({ seeded: {}, full: { seeded: false, mode: none }, zstd: { mode: zstd } })) {
    const body = client.keysBody(options)
    const stored = await http.putKeys(body)
    assert.equal(stored.status, 201, JSON.stringify(stored.json))
    for (const form of ['hex', 'base64', 'binary']) {
      for (const [name, { sent, version }] of Object.entries(forms(client, [x]))) {
        const answer = await infer(client, sent, { form, keys: stored.json.digest })
        assert.deepEqual(versionOf(answer[0]), version, name)
        const error = worst(client.decrypt(answer, 1)[0], y)
        assert.ok(error <= 1e-6, `${what} keys, ${form}, ${name}: ${error}`)
        assert.ok(error <= entry.stages[0].output.error, `${name}: the published bound is ${entry.stages[0].output.error}`)
        if (form === 'binary') t.diagnostic(`${what} keys of ${body.length} bytes, ${name}: error ${error.toExponential(1)}`)
      }
    }
  }
})

test('a dense layer 200 -> 150 in turned copies', async t => {
  const entry = entryOf('dense-200x150')
  const client = new SealClient(seal, entry)
  assert.equal(entry.stages[0].packing.kind, 'blocks')
  const x = Float64Array.from({ length: 200 }, generator(5))
  const stored = await http.putKeys(client.keysBody())
  assert.equal(stored.status, 201, JSON.stringify(stored.json))
  const answer = await infer(client, client.encrypt([x], { seeded: true }), { form: 'binary', keys: stored.json.digest })
  const error = worst(client.decrypt(answer, 1)[0], square(x))
  t.diagnostic(`error ${error.toExponential(1)}`)
  assert.ok(error <= 1e-6 && error <= entry.stages[0].output.error, `${error}`)
})

test('a model with ReLU, which the client computes between rounds', async t => {
  const entry = entryOf('rounds')
  const client = new SealClient(seal, entry)
  assert.ok(entry.interactive)
  assert.equal(entry.stages.length, 3)
  const keys = (await http.putKeys(client.keysBody())).json.digest
  const x = Float64Array.from({ length: 12 }, generator(7))
  let values = x
  for (const [stage, { local = [], input_max: reach }] of entry.stages.entries()) {
    values = values.map(v => Math.min(Math.max(v, -reach), reach))
    const answer = await infer(client, client.encrypt([values], { seeded: true, stage }), { form: 'binary', keys, stage })
    values = client.decrypt(answer, 1, stage)[0]
    for (const { op } of local) {
      assert.ok(op === 'relu' || op === 'flatten', op)
      if (op === 'relu') values = values.map(v => Math.max(v, 0))
    }
  }
  const error = worst(values, rounds(x))
  t.diagnostic(`error ${error.toExponential(1)} after ${entry.stages.length} rounds`)
  assert.ok(error <= 1e-6, `${error}`)
})

test('the server opens nothing and keeps no key for others', async () => {
  const entry = entryOf('dense-256x10')
  const client = new SealClient(seal, entry)
  const sent = client.encrypt([new Float64Array(256)])
  const head = { model_id: entry.model_id, version: entry.version }
  const without = await http.post('/infer', textRequest(head, 'hex', sent))
  assert.deepEqual([without.status, without.code], [409, 'EVALUATION_KEYS_REQUIRED'])
  const body = client.keysBody()
  const stored = await http.putKeys(body, { 'X-Tenant-ID': 'one' })
  assert.equal(stored.status, 201)
  const foreign = textRequest({ ...head, evaluation_keys: stored.json.digest }, 'hex', sent)
  const refused = await http.post('/infer', foreign, { 'X-Tenant-ID': 'two' })
  assert.deepEqual([refused.status, refused.code], [409, 'EVALUATION_KEYS_REQUIRED'])
  const held = `/keys/${stored.json.digest}`
  assert.equal((await http.send('HEAD', held, { headers: { 'X-Tenant-ID': 'two' } })).status, 404)
  assert.equal((await http.send('HEAD', held, { headers: { 'X-Tenant-ID': 'one' } })).status, 200)
  assert.equal((await http.send('DELETE', held, { headers: { 'X-Tenant-ID': 'one' } })).status, 204)
  assert.equal((await http.send('HEAD', held, { headers: { 'X-Tenant-ID': 'one' } })).status, 404)
})
