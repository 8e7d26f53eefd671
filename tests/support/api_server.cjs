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

// Adds one dense layer to a registry, and returns what it computes.
function addDense (registry, { id, inputs, outputs, seed, ...entry }) {
  const next = generator(seed)
  const f32 = (count, size) => Float32Array.from({ length: count }, () => size * next())
  const [weight, bias] = [f32(inputs * outputs, Math.sqrt(3 / inputs)), f32(outputs, 0.5)]
  const dir = path.join(registry, id)
  fs.mkdirSync(dir, { recursive: true })
  writeSafetensors(path.join(dir, 'model.safetensors'), {
    weight: { shape: [outputs, inputs], values: weight }, bias: { shape: [outputs], values: bias }
  })
  fs.writeFileSync(path.join(dir, 'model.json'), JSON.stringify({
    format: 'eis-classifier/1',
    name: id,
    input: { shape: [inputs] },
    layers: [{ op: 'linear', name: 'dense', weight: 'weight', bias: 'bias', in: inputs, out: outputs }]
  }))
  fs.writeFileSync(path.join(registry, `${id}.json`), JSON.stringify({
    model_id: id, version: '1.0.0', description: 'A dense layer of a test', he_scheme: 'CKKS', model: id, ...entry
  }))
  return x => Float64Array.from(bias, (b, i) => x.reduce((sum, v, j) => sum + weight[i * inputs + j] * v, b))
}

module.exports = { root, program, makeScratch, startServer, generator, addDense }
