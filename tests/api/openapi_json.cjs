// SPDX-License-Identifier: Apache-2.0
// Writes spec/openapi.json, which is spec/openapi.yaml in JSON: servers embed both, and a test keeps them equal.
// usage: node openapi_json.cjs SPEC_DIR
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const yaml = require('js-yaml')

const dir = process.argv[2]
const description = yaml.load(fs.readFileSync(path.join(dir, 'openapi.yaml'), 'utf8'))
fs.writeFileSync(path.join(dir, 'openapi.json'), JSON.stringify(description, null, 1) + '\n')
