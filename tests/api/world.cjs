// SPDX-License-Identifier: Apache-2.0
// A running server with small models, and a client whose every exchange is judged by the normative files.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { checkExchange, operationOf, root } = require('./contract.cjs')

const support = name => require(path.join(root, 'tests/support', name))
const { Http, textRequest, binaryRequest } = support('api_client.cjs')
const { addDense, makeScratch, startServer } = support('api_server.cjs')
const { SealClient } = support('api_seal.cjs')

// No test here is about quotas unless it says so.
const UNLIMITED = ['--rate', '100000', '--poll-rate', '100000']

class World {
  constructor () {
    this.scratch = makeScratch()
    this.registry = path.join(this.scratch.dir, 'registry')
    this.seen = new Map() // "METHOD template" -> Set of "status code"
    this.faults = []
    fs.mkdirSync(this.registry)
    fs.copyFileSync(path.join(root, 'models/registry/logistic_v1.json'), path.join(this.registry, 'logistic_v1.json'))
    // One input in one ciphertext, with keys; and one ciphertext for each number, without.
    addDense(this.registry, { id: 'dense-4x3', sizes: [4, 3], seed: 4, chain: 'S', form: 'single' })
    addDense(this.registry, { id: 'dense-2x2', sizes: [2, 2], seed: 5, chain: 'S', form: 'batch' })
  }

  static async start (...flags) {
    const world = new World()
    world.seal = await require('node-seal')()
    world.server = await startServer(world.scratch, world.registry, ...UNLIMITED, '--enable-plain', ...flags)
    world.http = world.client(world.server)
    world.models = (await world.http.get('/models')).json.models
    return world
  }

  // A further server on the same models.
  async another (...flags) {
    const server = await startServer(this.scratch, this.registry, ...flags)
    return { server, http: this.client(server) }
  }

  client (server) {
    return new Http(server.url, exchange => {
      const { method, path: target } = exchange.request
      const found = operationOf(method, new URL(target, server.url).pathname)
      const name = `${method} ${found ? found.template : 'elsewhere'}`
      if (!this.seen.has(name)) this.seen.set(name, new Set())
      this.seen.get(name).add(`${exchange.status} ${exchange.code || ''}`.trim())
      try { checkExchange(exchange) } catch (error) { this.faults.push(error) }
    })
  }

  entry (id) { return this.models.find(entry => entry.model_id === id) }
  sealClient (id) { return new SealClient(this.seal, this.entry(id)) }
  head (id) { return { model_id: id, version: this.entry(id).version } }

  end () {
    if (this.http) this.http.close()
    this.scratch.end()
  }
}

module.exports = { World, UNLIMITED, textRequest, binaryRequest, ...support('api_client.cjs'), ...support('api_seal.cjs') }
