// SPDX-License-Identifier: Apache-2.0
// Starts tests/grpc-js/world.c, and makes clients of its coordinator from the .proto files of spec/.
'use strict';
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const root = process.env.EIS_TEST_ROOT;
const program = path.join(process.env.EIS_TEST_BUILD, 'peer.grpc_js');
const spec = path.join(root, 'spec');
const options = { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true, includeDirs: [spec] };

async function start(transport, plaintext) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'eis-grpc-'));
  const child = spawn(program, [path.join(root, 'models', 'tiny-stories'), transport, plaintext, directory],
    { stdio: ['pipe', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
      if (text.includes('\n')) resolve(text);
    });
    child.on('exit', (code) => reject(new Error(`the world ended with ${code}`)));
  });
  const read = (name) => fs.readFileSync(path.join(directory, name));
  return {
    ...JSON.parse(line),
    credentials: (name) => name === undefined ? grpc.credentials.createInsecure()
      : grpc.credentials.createSsl(read('ca.crt'), read(`${name}.key`), read(`${name}.crt`)),
    withoutCertificate: () => grpc.credentials.createSsl(read('ca.crt')),
    stop: async () => {
      const ended = new Promise((resolve) => child.on('exit', resolve));
      child.stdin.end();
      const code = await ended;
      fs.rmSync(directory, { recursive: true });
      if (code !== 0) throw new Error(`the world ended with ${code}`);
    },
  };
}

// `as` puts the messages of a file under another package, as stubs do that were made from the original's file.
function load(file, as) {
  let source = path.join(spec, file), directory;
  if (as !== undefined) {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'eis-proto-'));
    const text = fs.readFileSync(source, 'utf8').replace(/^package [a-z0-9.]+;$/m, `package ${as};`);
    source = path.join(directory, file);
    fs.writeFileSync(source, text);
  }
  const loaded = grpc.loadPackageDefinition(loader.loadSync(source, options));
  if (directory !== undefined) fs.rmSync(directory, { recursive: true });
  return loaded;
}

// Calls a unary method: resolves to the reply, or rejects with the status.
function ask(client, method, request, deadlineMs = 60000) {
  return new Promise((resolve, reject) => {
    client[method](request, { deadline: Date.now() + deadlineMs }, (error, reply) => error ? reject(error) : resolve(reply));
  });
}

// Calls a streaming method: resolves to all events, or rejects with the status, its events beside it.
function stream(client, method, request, onEvent = () => {}) {
  return new Promise((resolve, reject) => {
    const events = [];
    const call = client[method](request, { deadline: Date.now() + 120000 });
    call.on('data', (event) => { events.push(event); onEvent(call, events); });
    call.on('error', (error) => { error.events = events; reject(error); });
    call.on('end', () => resolve(events));
  });
}

module.exports = { grpc, start, load, ask, stream };
