// SPDX-License-Identifier: Apache-2.0
// The models of this project through a foreign client: a picture in windows under 27-bit primes, and a table as a batch.
// What the client knows it has from GET /models and docs/api.md; the truth is `eis classify --engine plain`.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { after, before, test } = require('node:test')

const root = process.env.EIS_TEST_ROOT || path.resolve(__dirname, '../..')
const support = name => require(path.join(root, 'tests/support', name))
const { Http, binaryRequest, ciphertextsOf } = support('api_client.cjs')
const { makeScratch, program, startServer } = support('api_server.cjs')
const { SealClient } = support('api_seal.cjs')

const scratch = makeScratch()
let seal, http, models

before(async () => {
  seal = await require('node-seal')()
  const server = await startServer(scratch, path.join(root, 'models/registry'), '--rate', '100000', '--poll-rate', '100000')
  http = new Http(server.url)
  models = (await http.get('/models')).json.models
})
after(() => { http && http.close(); scratch.end() })

const entryOf = id => models.find(entry => entry.model_id === id)

// (x / divide - mean) / std, one mean for each channel or feature.
function scaled (entry, raw) {
  const { shape, divide = 1, mean = [0], std = [1] } = entry.input || { shape: [raw.length] }
  const each = raw.length / shape[0]
  const of = (list, i) => list.length === 1 ? list[0] : list[Math.floor(i / each)]
  return Float64Array.from(raw, (v, i) => (v / divide - of(mean, i)) / of(std, i))
}

// Raw numbers through ciphertexts: the answer, and the size of what travelled.
async function infer (entry, samples) {
  const client = new SealClient(seal, entry)
  const { zstd } = seal.ComprModeType
  const head = { model_id: entry.model_id, version: entry.version, batch_size: samples.length }
  const needs = entry.evaluation_keys
  if (needs.relin || needs.public || needs.galois_elements.length > 0) {
    const stored = await http.putKeys(client.keysBody({ mode: zstd }))
    assert.equal(stored.status, 201, JSON.stringify(stored.json))
    head.evaluation_keys = stored.json.digest
  }
  const sent = client.encrypt(samples.map(raw => scaled(entry, raw)), { seeded: true })
  const accepted = await http.postBinary('/infer', binaryRequest(head, sent), sent)
  assert.equal(accepted.status, 202, JSON.stringify(accepted.json))
  const done = await http.job(accepted.json.job_id)
  assert.equal(done.json.status, 'completed', JSON.stringify(done.json))
  return client.decrypt(ciphertextsOf(done), samples.length)
}

const largest = values => values.indexOf(Math.max(...values))

// What the plain engine says of the same numbers.
function plain (model, file) {
  const flags = ['--engine', 'plain', '--model', path.join(root, 'models', model), '--input', file, '--json']
  const text = execFileSync(program, ['classify', ...flags])
  return text.toString().trim().split('\n').map(line => JSON.parse(line)).filter(line => !line.done)
}

function compare (t, entry, answers, truth) {
  const bound = entry.stages[0].output.error
  answers.forEach((values, j) => {
    const error = Math.max(...values.map((v, i) => Math.abs(v - truth[j].logits[i])))
    if (j === 0) t.diagnostic(`sample 0: error ${error.toExponential(1)}, published bound ${bound.toExponential(1)}`)
    assert.ok(error <= bound, `sample ${j}: ${error} > ${bound}`)
    assert.equal(largest(values), truth[j].class, `sample ${j}`)
  })
}

test('a written digit, as windows of one ciphertext', async t => {
  const entry = entryOf('digits-square')
  assert.equal(entry.stages[0].packing.kind, 'windows')
  const file = path.join(root, 'models/digits/samples/3.pgm')
  const pixels = [...fs.readFileSync(file).subarray(-784)]
  const [values] = await infer(entry, [pixels])
  const truth = plain('digits-square', file)
  compare(t, entry, [values], truth)
  assert.equal(entry.labels[largest(values)], '3')
})

test('rows of a table, one ciphertext for each column', async t => {
  const entry = entryOf('breast-cancer')
  assert.equal(entry.stages[0].packing.kind, 'features')
  const rows = Array.from({ length: 20 }, (_, j) => Array.from({ length: 9 }, (_, i) => 1 + (7 * j + 3 * i) % 10))
  const file = path.join(scratch.dir, 'rows.json')
  fs.writeFileSync(file, JSON.stringify(rows))
  compare(t, entry, await infer(entry, rows), plain('breast-cancer', file))
})
