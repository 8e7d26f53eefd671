// SPDX-License-Identifier: Apache-2.0
// The normative files as one judge: does an answer keep what spec/ says, does a request.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const Ajv = require('ajv/dist/2020').default
const addFormats = require('ajv-formats')

const root = process.env.EIS_TEST_ROOT || path.resolve(__dirname, '../..')
const specDir = path.join(root, 'spec')
const readSpec = name => fs.readFileSync(path.join(specDir, name), 'utf8')
const schemaNames = fs.readdirSync(path.join(specDir, 'schemas')).sort()

const api = JSON.parse(readSpec('openapi.json'))

// Schemas of the description refer to schemas/NAME, as servers give them out; those among each other to NAME alone.
const ajv = new Ajv({ strict: true, strictRequired: false, allErrors: true })
addFormats(ajv)
ajv.addVocabulary(['x-eis-json-part'])
for (const name of schemaNames) {
  const schema = JSON.parse(readSpec(`schemas/${name}`))
  ajv.addSchema({ ...schema, $id: `http://spec.invalid/schemas/${name}` })
}

const compiled = new Map()
function compile (schema) {
  const key = JSON.stringify(schema)
  if (!compiled.has(key)) {
    compiled.set(key, ajv.compile({ ...structuredClone(schema), $id: `http://spec.invalid/${compiled.size}` }))
  }
  return compiled.get(key)
}

// Follows references inside the description.
function resolve (object) {
  if (!object || !object.$ref || !object.$ref.startsWith('#/')) return object
  return resolve(object.$ref.slice(2).split('/').reduce((at, part) => at[part.replace(/~1/g, '/')], api))
}

// The schema of what is JSON in a body of this media type: all of it, or its JSON part.
function jsonSchema (media) {
  const schema = resolve(media.schema)
  return schema['x-eis-json-part'] || schema
}

const faults = check => check.errors.map(e => `${e.instancePath || '/'} ${e.message} ${JSON.stringify(e.params)}`).join('; ')

function assertMatches (schema, value, what) {
  const check = compile(schema)
  assert.ok(check(value), `${what}: ${check.errors && faults(check)}`)
}

// Which operation a request is for: null where the description has none.
function operationOf (method, pathname) {
  const parts = pathname.split('/')
  for (const [template, item] of Object.entries(api.paths)) {
    const wanted = template.split('/')
    const fits = wanted.length === parts.length &&
      wanted.every((w, i) => /^\{.*\}$/.test(w) ? parts[i] !== '' : w === parts[i])
    if (fits) return { template, item, operation: item[method.toLowerCase()] || null }
  }
  return null
}

// Tells whether the schema of an operation accepts a request's JSON.
function accepts (method, pathname, mediaType, value) {
  const { operation } = operationOf(method, pathname)
  return compile(jsonSchema(operation.requestBody.content[mediaType]))(value)
}

// ---- Errors ----

const statusHeader = fs.readFileSync(path.join(root, 'include/eis/status.h'), 'utf8')
const statuses = new Map()
for (const [, name, code, http, retryable, text] of statusHeader.matchAll(
  /X\((\w+), "(\w+)", (\d+), \d+, \d+, ([01]), "([^"]*)"\)/g)) {
  statuses.set(code, { name, http: Number(http), retryable: retryable === '1', text })
}

// Rows of the table in docs/api.md: | `CODE` | HTTP | retryable | `action` | meaning |
const documentedErrors = new Map()
for (const [, code, http, retryable, action] of fs.readFileSync(path.join(root, 'docs/api.md'), 'utf8').matchAll(
  /^\| `([A-Z_]+)` \| (\d+) \| (yes|no) \| `(\w+)` \|/gm)) {
  documentedErrors.set(code, { http: Number(http), retryable: retryable === 'yes', action })
}

// Codes that an operation may answer with, by HTTP status.
function codesOf (found) {
  if (found && found.operation) return found.operation['x-eis-errors']
  const absent = found ? { 405: ['METHOD_NOT_ALLOWED'] } : { 404: ['NOT_FOUND'] }
  return { 400: ['INVALID_SCHEMA'], 401: ['UNAUTHENTICATED'], 403: ['FORBIDDEN'], ...absent }
}

function checkError (exchange, found) {
  const { json, status, headers, request } = exchange
  const what = `${request.method} ${request.path}: ${status} ${exchange.code}`
  assert.equal(exchange.type, 'application/problem+json', what)
  assertMatches({ $ref: 'schemas/error.json' }, json, what)
  assert.equal(json.status, status, what)
  assert.equal(json.type, `urn:eis:error:${json.error.code}`, what)
  assert.equal(json.instance, decodeURIComponent(new URL(request.path, 'http://spec.invalid').pathname), what)
  const listed = statuses.get(json.error.code)
  assert.ok(listed, `${what}: no such code`)
  assert.equal(listed.http, status, what)
  assert.equal(json.error.retryable, listed.retryable, what)
  assert.equal(json.title, listed.text, what)
  assert.equal(json.error.action, (documentedErrors.get(json.error.code) || {}).action, what)
  assert.ok(json.detail.length <= 512, `${what}: a text of ${json.detail.length} characters`)
  assert.ok((codesOf(found)[status] || []).includes(json.error.code), `${what}: not listed for this operation: ${json.detail}`)
  const waits = status === 429 || status === 503
  assert.equal(headers['retry-after'] !== undefined, waits, what)
  assert.equal(json.error.retry_after_s, waits ? Number(headers['retry-after']) : undefined, what)
  if (status !== 405) return
  const allowed = headers.allow.split(', ')
  assert.deepEqual(allowed, [...new Set(allowed)], what)
  const known = Object.keys(found.item).filter(name => name !== 'parameters').map(name => name.toUpperCase())
  for (const method of known) assert.ok(allowed.includes(method), `${what}: Allow is ${headers.allow}`)
}

// ---- Answers ----

function checkHeaders (declared, exchange, what) {
  for (const [name, reference] of Object.entries(declared.headers || {})) {
    const header = resolve(reference)
    const value = exchange.headers[name.toLowerCase()]
    assert.ok(value !== undefined || !header.required, `${what}: no header ${name}`)
    if (value === undefined) continue
    assertMatches(header.schema, header.schema.type === 'integer' ? Number(value) : value, `${what}: header ${name}`)
  }
}

// Fails unless the answer is one that the description has, down to its last member.
function checkExchange (exchange) {
  const { method, path: target } = exchange.request
  const { pathname } = new URL(target, 'http://spec.invalid')
  const found = operationOf(method, pathname)
  const what = `${method} ${pathname}: ${exchange.status}`
  assert.equal(exchange.headers['cache-control'], 'no-store', what)
  assert.equal(exchange.headers['access-control-allow-origin'], undefined, what)
  if (method === 'HEAD') {
    assert.equal(exchange.bytes.length, 0, what)
    assert.ok(!found || !found.operation || found.operation.responses[exchange.status], `${what}: not declared`)
    return
  }
  if (exchange.status >= 400) checkError(exchange, found)
  if (!found || !found.operation) {
    assert.ok(exchange.status >= 400, `${what}: nothing is described here`)
    return
  }
  const declared = resolve(found.operation.responses[exchange.status])
  assert.ok(declared, `${what}: not declared`)
  checkHeaders(declared, exchange, what)
  if (!declared.content) {
    assert.equal(exchange.bytes.length, 0, `${what}: has a body`)
    return
  }
  const media = declared.content[exchange.type]
  assert.ok(media, `${what}: media type ${exchange.type} is not declared`)
  if (exchange.json !== undefined) assertMatches(jsonSchema(media), exchange.json, what)
}

module.exports = {
  accepts, ajv, api, checkExchange, documentedErrors, operationOf, readSpec, root, schemaNames, specDir, statuses
}
