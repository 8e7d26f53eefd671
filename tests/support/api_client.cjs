// SPDX-License-Identifier: Apache-2.0
// HTTP against a server of the Encrypted Inference API, and the binary media type, from docs/api.md alone.
'use strict'

const crypto = require('node:crypto')
const http = require('node:http')

const JSON_TYPE = 'application/json'
const BINARY_TYPE = 'application/vnd.eis.infer'

// One exchange; every answer is a result, whatever its status. `record` sees it before the caller does.
class Http {
  constructor (url, record = () => {}) {
    this.url = url
    this.record = record
    this.agent = new http.Agent({ keepAlive: true })
  }

  send (method, path, { headers = {}, body } = {}) {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }
      const options = { method, agent: this.agent, headers: { ...length, ...headers }, timeout: 60000 }
      const request = http.request(new URL(path, this.url), options, response => {
        const pieces = []
        response.on('data', piece => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () => {
          const exchange = new Exchange({ method, path, headers, body }, response, Buffer.concat(pieces))
          this.record(exchange)
          resolve(exchange)
        })
      })
      request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer`)))
      request.on('error', reject)
      request.end(body)
    })
  }

  get (path, headers) { return this.send('GET', path, { headers }) }

  post (path, value, headers = {}) {
    return this.send('POST', path, { headers: { 'Content-Type': JSON_TYPE, ...headers }, body: JSON.stringify(value) })
  }

  postBinary (path, value, payloads, headers = {}) {
    return this.send('POST', path, { headers: { 'Content-Type': BINARY_TYPE, ...headers }, body: envelope(value, payloads) })
  }

  putKeys (body, headers = {}) {
    return this.send('PUT', `/keys/${sha256(body)}`, { headers: { 'Content-Type': BINARY_TYPE, ...headers }, body })
  }

  // Polls a job to its end.
  async job (id, headers = {}) {
    for (let i = 0; i < 600; i++) {
      const answer = await this.get(`/jobs/${id}`, headers)
      if (answer.status !== 200 || ['completed', 'failed'].includes(answer.json.status)) return answer
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    throw new Error(`job ${id} does not end`)
  }

  close () { this.agent.destroy() }
}

class Exchange {
  constructor (request, response, bytes) {
    this.request = request
    this.status = response.statusCode
    this.headers = response.headers
    this.bytes = bytes
    this.type = (response.headers['content-type'] || '').split(';')[0].trim()
    this.payloads = []
    if (this.type === BINARY_TYPE) {
      const parts = openEnvelope(bytes, value => value.result.lengths)
      this.json = parts.value
      this.payloads = parts.payloads
    } else if (/[/+]json$/.test(this.type) && bytes.length > 0) { // the answer to HEAD has none
      this.json = JSON.parse(bytes.toString('utf8'))
    }
  }

  get code () { return this.json && this.json.error && this.json.error.code }
}

const sha256 = bytes => crypto.createHash('sha256').update(bytes).digest('hex')
const aligned = offset => (offset + 63) & ~63

// "EISI", the length of the JSON, the JSON, and each payload at a multiple of 64.
function envelope (value, payloads) {
  const text = Buffer.from(JSON.stringify(value))
  const head = Buffer.alloc(8)
  head.write('EISI', 0, 'latin1')
  head.writeUInt32LE(text.length, 4)
  const pieces = [head, text]
  let offset = 8 + text.length
  for (const payload of payloads) {
    pieces.push(Buffer.alloc(aligned(offset) - offset), Buffer.from(payload))
    offset = aligned(offset) + payload.length
  }
  return Buffer.concat(pieces)
}

function openEnvelope (bytes, lengthsOf) {
  if (bytes.toString('latin1', 0, 4) !== 'EISI') throw new Error('no EISI at the start')
  let offset = 8 + bytes.readUInt32LE(4)
  if (offset > bytes.length) throw new Error('the JSON is longer than the body')
  const value = JSON.parse(bytes.toString('utf8', 8, offset))
  const payloads = lengthsOf(value).map(length => {
    if (bytes.subarray(offset, aligned(offset)).some(byte => byte !== 0)) throw new Error('padding is not zero')
    offset = aligned(offset) + length
    if (offset > bytes.length) throw new Error('a payload ends behind the body')
    return bytes.subarray(offset - length, offset)
  })
  if (offset !== bytes.length) throw new Error('there are bytes behind the last payload')
  return { value, payloads }
}

// The inputs of a request and its form: { value, payloads } for postBinary, or a value for post.
function textRequest (head, encoding, ciphertexts) {
  const inputs = ciphertexts.map(bytes => ({ encoding, payload: Buffer.from(bytes).toString(encoding) }))
  return { ...head, inputs }
}

function binaryRequest (head, ciphertexts) {
  return { ...head, inputs: ciphertexts.map(bytes => ({ encoding: 'binary', length: bytes.length })) }
}

// The ciphertexts of a finished job, whatever its form.
function ciphertextsOf (exchange) {
  const { result } = exchange.json
  if (result.encoding === 'binary') return exchange.payloads
  return (result.payloads || [result.payload]).map(text => Buffer.from(text, result.encoding))
}

module.exports = { Http, JSON_TYPE, BINARY_TYPE, sha256, envelope, openEnvelope, textRequest, binaryRequest, ciphertextsOf }
