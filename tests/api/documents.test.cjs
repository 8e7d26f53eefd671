// SPDX-License-Identifier: Apache-2.0
// The normative documents among each other: description, schemas, the list of errors in the sources, and docs/api.md.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { test } = require('node:test')
const yaml = require('js-yaml')
const { ajv, api, documentedErrors, readSpec, root, schemaNames, specDir, statuses } = require('./contract.cjs')

const document = fs.readFileSync(path.join(root, 'docs/api.md'), 'utf8')

// Runs a tool of this package; its output is in the error where it fails.
function tool (name, ...args) {
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' }
  const file = path.join(__dirname, 'node_modules/.bin', name)
  try {
    return execFileSync(file, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    throw new Error(`${name}: ${error.stdout}${error.stderr}`)
  }
}

test('redocly has nothing to say about the description', () => {
  tool('redocly', 'lint', '--config', path.join(__dirname, 'redocly.yaml'), path.join(specDir, 'openapi.yaml'))
})

test('spectral has nothing to say about the description, as YAML and as JSON', () => {
  const rules = path.join(__dirname, 'spectral.yaml')
  const files = ['openapi.yaml', 'openapi.json'].map(name => path.join(specDir, name))
  tool('spectral', 'lint', '--fail-severity', 'hint', '-r', rules, ...files)
})

test('both linters would notice', t => {
  const dir = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'eis-lint-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  fs.cpSync(specDir, dir, { recursive: true })
  const file = path.join(dir, 'openapi.yaml')
  fs.writeFileSync(file, readSpec('openapi.yaml').replace('operationId: getJob', 'operationId: infer'))
  assert.throws(() => tool('redocly', 'lint', '--config', path.join(__dirname, 'redocly.yaml'), file), /operationId/)
  assert.throws(() => tool('spectral', 'lint', '-r', path.join(__dirname, 'spectral.yaml'), file), /operationId/)
})

test('openapi.json is openapi.yaml', () => {
  assert.deepEqual(api, yaml.load(readSpec('openapi.yaml'), { schema: yaml.CORE_SCHEMA }))
})

test('every schema is valid, compiles strictly and is referred to', () => {
  const texts = [readSpec('openapi.yaml'), ...schemaNames.map(name => readSpec(`schemas/${name}`))].join('\n')
  for (const name of schemaNames) {
    const schema = JSON.parse(readSpec(`schemas/${name}`))
    assert.ok(ajv.validateSchema(schema), name)
    assert.ok(ajv.getSchema(`http://spec.invalid/schemas/${name}`), name)
    if (name !== 'registry-entry.json') assert.match(texts, new RegExp(`[ "/]${name.replace('.', '\\.')}["\n#]`), name)
  }
})

test('every operation lists errors that exist, under the statuses that they have', () => {
  for (const [template, item] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (method === 'parameters') continue
      const listed = Object.entries(operation['x-eis-errors'])
      const declared = Object.keys(operation.responses).filter(status => status >= '400')
      assert.deepEqual(listed.map(([status]) => status).sort(), declared.sort(), `${method} ${template}`)
      for (const [status, codes] of listed) {
        for (const code of codes) assert.equal(String((statuses.get(code) || {}).http), status, `${method} ${template}: ${code}`)
      }
    }
  }
})

test('the table of errors in docs/api.md is that of the sources, and has every code that an operation lists', () => {
  const rows = documentedErrors
  assert.ok(rows.size > 20)
  for (const [code, row] of rows) {
    const known = statuses.get(code)
    assert.ok(known, `${code} is in no list`)
    assert.deepEqual([row.http, row.retryable], [known.http, known.retryable], code)
  }
  const listed = Object.values(api.paths).flatMap(item => Object.values(item)).filter(o => o['x-eis-errors'])
    .flatMap(o => Object.values(o['x-eis-errors']).flat())
  for (const code of listed) assert.ok(rows.has(code), `${code} is not in docs/api.md`)
})

test('docs/api.md names every path, header and schema', () => {
  for (const template of Object.keys(api.paths)) assert.ok(document.includes(template), template)
  for (const { name } of Object.values(api.components.parameters)) assert.ok(document.includes(name), name)
  for (const name of Object.keys(api.components.headers)) assert.ok(document.includes(name), name)
  for (const name of schemaNames) assert.ok(document.includes(name), name)
})
