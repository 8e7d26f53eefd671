// SPDX-License-Identifier: Apache-2.0
// Starts `eis serve api` for a test, and makes registries of small models with weights from a fixed seed.
'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawn } = require('node:child_process')
const readline = require('node:readline')

const root = process.env.EIS_TEST_ROOT || path.resolve(__dirname, '../..')
const program = process.env.EIS_PROGRAM || path.join(root, 'build/eis')

// A directory and the servers that belong to it; end() takes both away.
function makeScratch () {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'eis-api-'))
  const children = []
  return {
    dir,
    children,
    end: () => {
      for (const child of children) child.kill('SIGKILL')
      fs.rmSync(dir, { recursive: true, force: true })
    }
  }
}

// Resolves when the server prints its address; the server ends with the scratch directory.
function startServer (scratch, registry, ...flags) {
  const child = spawn(program, ['serve', 'api', '--registry', registry, '--listen', '127.0.0.1:0', ...flags],
    { stdio: ['ignore', 'pipe', 'pipe'] })
  scratch.children.push(child)
  const log = []
  const ended = new Promise(resolve => child.once('exit', (code, signal) => resolve({ code, signal })))
  child.stderr.on('data', piece => log.push(piece))
  return new Promise((resolve, reject) => {
    ended.then(({ code }) => reject(new Error(`the server ended with ${code}: ${Buffer.concat(log)}`)))
    child.once('error', reject)
    readline.createInterface({ input: child.stdout }).once('line', line => {
      const [word, address] = line.split(' ')
      if (word !== 'listening') return reject(new Error(`the server prints "${line}"`))
      resolve({ url: `http://${address}/`, child, ended, log: () => Buffer.concat(log).toString() })
    })
  })
}

// Numbers in [-1, 1), the same on every machine (mulberry32).
function generator (seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = state
    word = Math.imul(word ^ (word >>> 15), word | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return ((word ^ (word >>> 14)) >>> 0) / 2147483648 - 1
  }
}

// tensors: { name: { shape, values } }, written as F32.
function writeSafetensors (file, tensors) {
  const head = {}
  const pieces = []
  let offset = 0
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    const bytes = Buffer.from(Float32Array.from(values).buffer)
    head[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes.length] }
    pieces.push(bytes)
    offset += bytes.length
  }
  const text = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  fs.writeFileSync(file, Buffer.concat([length, text, ...pieces]))
}

// Adds a chain of dense layers with ReLU between them to a registry, and returns what it computes. sizes: numbers of the
// input, of each hidden layer, and of the answer.
function addDense (registry, { id, sizes, seed, ...entry }) {
  const next = generator(seed)
  const f32 = (count, size) => Float32Array.from({ length: count }, () => size * next())
  const layers = sizes.slice(1).map((outputs, i) => {
    const inputs = sizes[i]
    return { inputs, outputs, weight: f32(inputs * outputs, Math.sqrt(3 / inputs)), bias: f32(outputs, 0.5) }
  })
  const dir = path.join(registry, id)
  fs.mkdirSync(dir, { recursive: true })
  writeSafetensors(path.join(dir, 'model.safetensors'), Object.fromEntries(layers.flatMap((layer, i) => [
    [`weight${i}`, { shape: [layer.outputs, layer.inputs], values: layer.weight }],
    [`bias${i}`, { shape: [layer.outputs], values: layer.bias }]
  ])))
  fs.writeFileSync(path.join(dir, 'model.json'), JSON.stringify({
    format: 'eis-classifier/1',
    name: id,
    input: { shape: [sizes[0]] },
    layers: layers.flatMap(({ inputs, outputs }, i) => [
      ...(i > 0 ? [{ op: 'relu' }] : []),
      { op: 'linear', name: `dense${i}`, weight: `weight${i}`, bias: `bias${i}`, in: inputs, out: outputs }
    ])
  }))
  fs.writeFileSync(path.join(registry, `${id}.json`), JSON.stringify({
    model_id: id, version: '1.0.0', description: 'A dense model of a test', he_scheme: 'CKKS', model: id, ...entry
  }))
  return x => layers.reduce((values, { inputs, weight, bias }, i) => {
    const y = Float64Array.from(bias, (b, row) => values.reduce((sum, v, j) => sum + weight[row * inputs + j] * v, b))
    return i + 1 < layers.length ? y.map(v => Math.max(v, 0)) : y
  }, x)
}

module.exports = { root, program, makeScratch, startServer, generator, addDense }
