// SPDX-License-Identifier: Apache-2.0
// The examples of docs/api/examples: exchanges with a real server, in which what differs from run to run has a name in
// double braces. A file is replayed by sending its requests and comparing the answers.
//
// usage: node examples.cjs    sends the requests of every file to a server of its own and writes the answers down
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { readSpec, root, schemaNames } = require('./contract.cjs')
const { BINARY_TYPE, JSON_TYPE, World, envelope, sha256 } = require('./world.cjs')

const dir = path.join(root, 'docs/api/examples')
const names = fs.readdirSync(dir).filter(name => name.endsWith('.json')).sort()
const load = name => JSON.parse(fs.readFileSync(path.join(dir, name), 'utf8'))

const SHOWN = ['content-type', 'location', 'allow', 'retry-after', 'www-authenticate',
  'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset']
// Samples of what differs, for validating a file without a server.
const SAMPLES = {
  job_id: '0123456789abcdef'.repeat(2),
  time: '2026-01-01T00:00:00.000Z',
  keys: 'a'.repeat(64),
  ciphertext: '5ea1',
  base64: 'XqE=',
  count: '3',
  bound: '0.001'
}

// Replaces {{name}} in every text of a value.
function filled (value, known) {
  if (typeof value === 'string') {
    return value.replace(/\{\{([^}]+)\}\}/g, (all, name) => {
      if (known[name] === undefined) throw new Error(`nothing is known as ${all}`)
      return known[name]
    })
  }
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(inner => filled(inner, known))
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner, known)]))
}

// Gives what differs from run to run its name.
function named (value, key = '') {
  if (key === 'job_id') return '{{job_id}}'
  if (key === 'location' || key === 'instance') { // ids of zeros stand in requests as they are
    return value.replace(/^\/jobs\/(?!0{32}$).*/, '/jobs/{{job_id}}').replace(/^\/keys\/(?!0{64}$).*/, '/keys/{{keys}}')
  }
  if (key === 'digest') return '{{keys}}'
  if (key.endsWith('_at')) return '{{time}}'
  if (key === 'error' && typeof value === 'number') return '{{bound}}'
  if (['ratelimit-remaining', 'ratelimit-reset', 'retry-after', 'retry_after_s'].includes(key)) return '{{count}}'
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(inner => named(inner))
  const copy = Object.fromEntries(Object.entries(value).map(([k, inner]) => [k, named(inner, k)]))
  const payload = copy.encoding === 'base64' ? '{{base64}}' : '{{ciphertext}}'
  if (copy.payload) copy.payload = payload
  if (copy.payloads) copy.payloads = copy.payloads.map(() => payload)
  return copy
}

// The normative file that an answer is, byte for byte; it is not written down twice.
function fileOf (bytes) {
  const files = ['openapi.yaml', 'openapi.json', ...schemaNames.map(name => `schemas/${name}`)]
  const found = files.find(name => bytes.equals(Buffer.from(readSpec(name))))
  return found && `spec/${found}`
}

// What of an answer stands in a file.
function shown (exchange) {
  const headers = Object.fromEntries(SHOWN.filter(name => exchange.headers[name] !== undefined)
    .map(name => [name, named(exchange.headers[name], name)]))
  const answer = { status: exchange.status, headers }
  const file = fileOf(exchange.bytes)
  if (file) return { ...answer, file }
  const payloads = exchange.payloads.map(() => '{{ciphertext}}')
  if (payloads.length > 0) return { ...answer, envelope: { json: named(exchange.json), payloads } }
  if (exchange.json !== undefined) return { ...answer, json: named(exchange.json) }
  if (exchange.bytes.length > 0) return { ...answer, text: exchange.bytes.toString().replace(/ [-0-9.e+]+$/gm, ' {{count}}') }
  return answer
}

// Sends one request of a file; `known` has values for its names and learns new ones.
async function send (http, request, known) {
  const { method, path: target, headers = {}, json, envelope: frame, body } = filled(request, known)
  let bytes
  if (json !== undefined) bytes = JSON.stringify(json)
  if (frame) bytes = envelope(frame.json, frame.payloads.map(hex => Buffer.from(hex, 'hex')))
  if (body === 'keys') bytes = known.keysBody
  const type = bytes === undefined ? {} : { 'Content-Type': json === undefined ? BINARY_TYPE : JSON_TYPE }
  const exchange = await http.send(method, target, { headers: { ...type, ...headers }, body: bytes })
  if (exchange.json && exchange.json.job_id) known.job_id = exchange.json.job_id
  if (exchange.status >= 500) throw new Error(`${method} ${target}: ${exchange.bytes}`)
  return exchange
}

// Names of an example's world: its ciphertexts in hex and base64, and its keys.
function knownOf (world, example) {
  const known = { count: '1' }
  if (!example.client) return known
  const client = world.sealClient(example.client.model_id)
  client.encrypt(example.client.x, { seeded: true }).forEach((bytes, i) => {
    known[`ciphertext ${i}`] = bytes.toString('hex')
    known[`base64 ${i}`] = bytes.toString('base64')
  })
  known.keysBody = client.keysBody()
  known.keys = sha256(known.keysBody)
  return known
}

// Replays a file: the answers as a file would have them.
async function replay (world, example) {
  const { http, server } = await world.another(...(example.server || []))
  const known = knownOf(world, example)
  const answers = []
  for (const { request, poll } of example.exchanges) {
    if (poll) await http.job(known.job_id, request.headers)
    answers.push(shown(await send(http, request, known)))
  }
  http.close()
  server.child.kill('SIGTERM')
  return answers
}

async function record () {
  const world = await World.start()
  try {
    for (const name of names) {
      const example = load(name)
      const answers = await replay(world, example)
      example.exchanges.forEach((exchange, i) => { exchange.response = answers[i] })
      fs.writeFileSync(path.join(dir, name), JSON.stringify(example, null, 2) + '\n')
    }
    if (world.faults.length > 0) throw world.faults[0]
  } finally {
    world.end()
  }
}

module.exports = { SAMPLES, filled, load, names, replay }

if (require.main === module) record()
