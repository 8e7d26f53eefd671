// SPDX-License-Identifier: Apache-2.0
// A registry is refused whole or taken whole. What the schema refuses the server refuses, and where the server says
// "schema" the schema says so too; what is left is meaning.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { after, test } = require('node:test')
const { ajv, root } = require('./contract.cjs')
const { mutants } = require('./mutant.cjs')
const { addDense, makeScratch, program } = require(path.join(root, 'tests/support/api_server.cjs'))

const valid = ajv.getSchema('http://spec.invalid/schemas/registry-entry.json')
const scratch = makeScratch()
after(() => scratch.end())

// What `eis serve api` says of a registry. The address cannot be listened on, so that a good registry ends the program too.
function verdict (registry) {
  const flags = ['--registry', registry, '--listen', '192.0.2.1:1', '--insecure-http']
  const { status, stderr } = spawnSync(program, ['serve', 'api', ...flags], { encoding: 'utf8', timeout: 60000 })
  const refusal = stderr.split('\n').find(line => /schema|semantics/.test(line))
  return { status, stderr, refused: refusal !== undefined, schema: refusal !== undefined && /schema/.test(refusal) }
}

function registryOf (name, entry) {
  const dir = path.join(scratch.dir, name)
  fs.mkdirSync(dir, { recursive: true })
  fs.writeFileSync(path.join(dir, 'entry.json'), JSON.stringify(entry))
  return dir
}

function compare (t, name, entry) {
  let [good, bad] = [0, 0]
  for (const [change, mutant] of [['unchanged', entry], ...mutants(entry)]) {
    const said = verdict(registryOf(name, mutant))
    const accepted = valid(mutant)
    if (!accepted) assert.ok(said.refused, `${change}: the schema refuses it, the server does not: ${said.stderr}`)
    if (said.schema) assert.ok(!accepted, `${change}: the server says: ${said.stderr}`)
    if (accepted) good++; else bad++
  }
  t.diagnostic(`${good} valid and ${bad} invalid entries`)
}

test('entries of this project are valid', () => {
  const dir = path.join(root, 'models/registry')
  const files = fs.readdirSync(dir).filter(name => name.endsWith('.json'))
  assert.ok(files.length >= 2)
  for (const name of files) {
    assert.ok(valid(JSON.parse(fs.readFileSync(path.join(dir, name), 'utf8'))), `${name}: ${JSON.stringify(valid.errors)}`)
  }
})

test('an entry with its weights in it', t => {
  const entry = JSON.parse(fs.readFileSync(path.join(root, 'models/registry/logistic_v1.json'), 'utf8'))
  entry.parameters.weights = entry.parameters.weights.slice(0, 2)
  entry.inference.input_dimension = 2
  entry.encryption_parameters = { // small ones, since each good entry is prepared
    poly_modulus_degree: 4096, scale: 2 ** 30, coeff_modulus_bits: [38, 30, 38], max_multiplicative_depth: 1
  }
  compare(t, 'published', entry)
})

test('an entry that names a model', t => {
  const dir = registryOf('planned', {})
  addDense(dir, { id: 'dense-2x2', sizes: [2, 2], seed: 5, chain: 'S', form: 'batch', max_batch_size: 8 })
  const entry = JSON.parse(fs.readFileSync(path.join(dir, 'dense-2x2.json'), 'utf8'))
  fs.rmSync(path.join(dir, 'dense-2x2.json'))
  compare(t, 'planned', { ...entry, security_policy: 'he-guidelines-2024-128', interactive: false })
})

test('a registry with two entries of one name, or with none, or with a file that is no JSON, is refused', () => {
  const entry = JSON.parse(fs.readFileSync(path.join(root, 'models/registry/logistic_v1.json'), 'utf8'))
  const dir = registryOf('twice', entry)
  fs.writeFileSync(path.join(dir, 'other.json'), JSON.stringify(entry))
  assert.match(verdict(dir).stderr, /logistic_v1/)
  fs.writeFileSync(path.join(dir, 'other.json'), '{')
  assert.match(verdict(dir).stderr, /other\.json/)
  const empty = path.join(scratch.dir, 'empty')
  fs.mkdirSync(empty)
  assert.notEqual(verdict(empty).status, 0)
})
