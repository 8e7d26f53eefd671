// SPDX-License-Identifier: Apache-2.0
// Clients as the original's: both packages, both message sets, from registration to the last token.
'use strict';
const assert = require('node:assert');
const { after, before, describe, test } = require('node:test');
const { grpc, start, load, ask, stream } = require('./world.cjs');

const prompt = [0, 77, 123];
const { status } = grpc;

// What tells the sets apart, in one place.
const sets = {
  'set B as mimir': {
    make: (world, credentials) => new (load('mimir.proto').mimir.Coordinator)(world.grpc, credentials),
    ids: () => {
      const words = Buffer.alloc(8 * prompt.length);
      prompt.forEach((id, i) => words.writeBigInt64LE(BigInt(id), 8 * i));
      return words;
    },
    run: (session, count, k) => ({ session_id: session, max_new_tokens: count, temperature: 1.0, top_k: k }),
  },
  'set A as mpcprompt': {
    make: (world, credentials) => new (load('coordinator.proto').mpcprompt.Coordinator)(world.grpc, credentials),
    ids: () => prompt,
    run: (session, count, k) => ({ session_id: session, max_new_tokens: count, topk: k }),
  },
  'set A as mimir': {
    make: (world, credentials) => new (load('coordinator.proto', 'mimir').mimir.Coordinator)(world.grpc, credentials),
    ids: () => prompt,
    run: (session, count, k) => ({ session_id: session, max_new_tokens: count, topk: k }),
  },
  'set B as mpcprompt': {
    make: (world, credentials) => new (load('mimir.proto', 'mpcprompt').mpcprompt.Coordinator)(world.grpc, credentials),
    ids: () => sets['set B as mimir'].ids(),
    run: (session, count, k) => ({ session_id: session, max_new_tokens: count, temperature: 1.0, top_k: k }),
  },
};

function tokensOf(events) {
  const tokens = [];
  events.forEach((event, i) => {
    if (i % 2 === 0) {
      assert.strictEqual(event.event, 'token');
      tokens.push(event.token.token_id);
    } else {
      assert.strictEqual(event.event, 'timing');
      assert.strictEqual(event.timing.step_index, (i - 1) / 2);
      assert.ok(event.timing.ms > 0 && event.timing.ms < 60000, `${event.timing.ms} ms`);
    }
  });
  return tokens;
}

describe('over plaintext on loopback, prompts in the clear allowed', () => {
  let world, story;
  before(async () => { world = await start('plain', 'on'); });
  after(async () => { await world.stop(); });

  for (const [name, set] of Object.entries(sets)) {
    test(`${name}: register, create, submit, stream`, async () => {
      const client = set.make(world, world.credentials());
      const session = 'demo'; // whoever creates it again begins anew
      const registered = await ask(client, 'RegisterParty', { party_id: 'party0', addr: world.party0 });
      assert.strictEqual(registered.ok, true);
      const created = await ask(client, 'CreateSession', { session_id: session, model_name: 'tiny', mpc_ring: '2^64' });
      assert.strictEqual(created.ok, true);
      assert.match(created.msg, /2\^61-1/);
      const ids = set.ids();
      const submitted = await ask(client, 'SubmitPrompt', { session_id: session, owner_party: 'party0', token_ids: ids });
      assert.strictEqual(submitted.ok, true);
      assert.match(submitted.msg, /has seen the prompt/);
      const tokens = tokensOf(await stream(client, 'RunInference', set.run(session, 16, 1)));
      assert.strictEqual(tokens.length, 16);
      for (const token of tokens) assert.ok(token >= 0 && token < world.vocabulary);
      // Near ties may fall either way later on; the beginning is the same story for everybody.
      story ??= tokens.slice(0, 6);
      assert.deepStrictEqual(tokens.slice(0, 6), story);
      // With topk 3, as clients of set A send, tokens are drawn.
      await ask(client, 'SubmitPrompt', { session_id: session, owner_party: 'party0', token_ids: ids });
      const drawn = tokensOf(await stream(client, 'RunInference', set.run(session, 4, 3)));
      assert.strictEqual(drawn.length, 4);
      for (const token of drawn) assert.ok(token >= 0 && token < world.vocabulary);
      client.close();
    });
  }

  test('a run without a session says what to call first', async () => {
    const client = sets['set A as mpcprompt'].make(world, world.credentials());
    await assert.rejects(stream(client, 'RunInference', { session_id: 's', max_new_tokens: 3, topk: 3 }), (error) => {
      assert.strictEqual(error.code, status.NOT_FOUND);
      assert.match(error.details, /CreateSession/);
      assert.deepStrictEqual(error.metadata.get('eis-code'), ['NOT_FOUND']);
      assert.strictEqual(error.events.length, 0);
      return true;
    });
    await assert.rejects(ask(client, 'SubmitPrompt', { session_id: 's', token_ids: [1] }), { code: status.NOT_FOUND });
    client.close();
  });

  test('what makes no sense is refused with a status of its own', async () => {
    const client = sets['set B as mimir'].make(world, world.credentials());
    const make = (fields) => ask(client, 'CreateSession', { session_id: 'x', model_name: 'tiny', ...fields });
    await assert.rejects(make({ mpc_ring: '2^32' }), { code: status.INVALID_ARGUMENT });
    await assert.rejects(make({ session_id: 'a b' }), { code: status.INVALID_ARGUMENT });
    await assert.rejects(make({ model_name: 'huge' }), { code: status.NOT_FOUND });
    await make({});
    const run = (fields) => stream(client, 'RunInference', { session_id: 'x', ...fields });
    await assert.rejects(run({ max_new_tokens: -1 }), { code: status.INVALID_ARGUMENT });
    await assert.rejects(run({ temperature: NaN }), { code: status.INVALID_ARGUMENT });
    await assert.rejects(run({ top_k: -4 }), { code: status.INVALID_ARGUMENT });
    await assert.rejects(run({ top_k: 65 }), { code: status.INVALID_ARGUMENT, details: /topk is 65, not 1 to 64/ });
    await assert.rejects(run({ top_k: 3, temperature: 17 }), { code: status.INVALID_ARGUMENT });
    await assert.rejects(run({ max_new_tokens: 1 }), { code: status.NOT_FOUND });
    const long = Buffer.alloc(8 * (world.context + 1));
    await assert.rejects(ask(client, 'SubmitPrompt', { session_id: 'x', token_ids: long }), { code: status.INVALID_ARGUMENT });
    await assert.rejects(ask(client, 'RegisterParty', { party_id: 'p', addr: 'localhost:7000' }),
      { code: status.PERMISSION_DENIED });
    client.close();
  });

  test('tokens come while the run goes on, and a cancelled run ends its session', async () => {
    const client = sets['set B as mimir'].make(world, world.credentials());
    const set = sets['set B as mimir'];
    await ask(client, 'CreateSession', { session_id: 'cancel', model_name: 'tiny', mpc_ring: '' });
    await ask(client, 'SubmitPrompt', { session_id: 'cancel', token_ids: set.ids() });
    await assert.rejects(stream(client, 'RunInference', set.run('cancel', 100, 1), (call, events) => {
      if (events.length === 4) call.cancel();
    }), (error) => error.code === status.CANCELLED && error.events.length < 100);
    let code = status.OK;
    for (let i = 0; i < 100 && code !== status.NOT_FOUND; i++) {
      code = await ask(client, 'SubmitPrompt', { session_id: 'cancel', token_ids: set.ids() }).then(() => status.OK, (e) => e.code);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.strictEqual(code, status.NOT_FOUND);
    client.close();
  });

  test('metrics by gRPC and by HTTP', async () => {
    for (const name of ['set B as mimir', 'set A as mpcprompt']) {
      const client = sets[name].make(world, world.credentials());
      const metrics = await ask(client, 'FetchMetrics', {});
      assert.ok(metrics.tokens_per_second > 0);
      assert.ok(Number.isInteger(metrics.triple_pool_remaining) && metrics.triple_pool_remaining >= 0);
      client.close();
    }
    const text = await (await fetch(`http://${world.admin}/metrics`)).text();
    assert.match(text, /^mimir_generated_tokens_total [1-9]/m);
    assert.match(text, /^mimir_step_latency_seconds_bucket\{le="\+Inf"\} [1-9]/m);
    assert.deepStrictEqual(await (await fetch(`http://${world.admin}/healthz`)).json(), { ok: true });
  });

  test('health', async () => {
    const health = load('health.proto').grpc.health.v1.Health;
    const client = new health(world.grpc, world.credentials());
    assert.deepStrictEqual(await ask(client, 'Check', {}), { status: 'SERVING' });
    assert.deepStrictEqual(await ask(client, 'Check', { service: 'mimir.Coordinator' }), { status: 'SERVING' });
    await assert.rejects(ask(client, 'Check', { service: 'mimir.Nobody' }), { code: status.NOT_FOUND });
    const first = (service) => stream(client, 'Watch', { service }, (call) => call.cancel()).catch((error) => error.events);
    assert.deepStrictEqual(await first('mpcprompt.Coordinator'), [{ status: 'SERVING' }]);
    assert.deepStrictEqual(await first('mimir.Nobody'), [{ status: 'SERVICE_UNKNOWN' }]);
    client.close();
  });

  for (const version of ['v1', 'v1alpha'])
    test(`reflection ${version}`, async () => {
      const client = new (load('reflection.proto', `grpc.reflection.${version}`).grpc.reflection[version].ServerReflection)(world.grpc, world.credentials());
      const call = client.ServerReflectionInfo();
      const asked = [{ list_services: '' }, { file_containing_symbol: 'mimir.Coordinator.RunInference' },
        { file_by_filename: 'triples.proto' }, { file_containing_symbol: 'mimir.Nobody' },
        { all_extension_numbers_of_type: 'mpcprompt.Token' }];
      const answers = await new Promise((resolve, reject) => {
        const all = [];
        call.on('data', (answer) => { all.push(answer); if (all.length === asked.length) call.end(); });
        call.on('error', reject);
        call.on('end', () => resolve(all));
        for (const request of asked) call.write(request);
      });
      assert.deepStrictEqual(answers[0].list_services_response.service.map((s) => s.name).sort(),
        ['grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection',
          'mimir.Coordinator', 'mpcprompt.Coordinator']);
      assert.strictEqual(answers[1].file_descriptor_response.file_descriptor_proto.length, 1);
      assert.ok(answers[1].file_descriptor_response.file_descriptor_proto[0].includes('RunInferenceReq'));
      assert.strictEqual(answers[2].file_descriptor_response.file_descriptor_proto.length, 2); // and Empty's
      assert.strictEqual(answers[3].error_response.error_code, status.NOT_FOUND);
      assert.strictEqual(answers[4].all_extension_numbers_response.base_type_name, 'mpcprompt.Token');
      client.close();
    });

  test('unknown methods and malformed messages', async () => {
    const client = new grpc.Client(world.grpc, world.credentials());
    const raw = (path, bytes) => new Promise((resolve) => {
      client.makeUnaryRequest(path, (b) => b, (b) => b, bytes, (error) => resolve(error.code));
    });
    assert.strictEqual(await raw('/mimir.Coordinator/Explode', Buffer.alloc(0)), status.UNIMPLEMENTED);
    assert.strictEqual(await raw('/mimir.Coordinator/CreateSession', Buffer.from('0aff', 'hex')), status.INVALID_ARGUMENT);
    assert.strictEqual(await raw('/mimir.Coordinator/CreateSession', Buffer.alloc(2 << 20)), status.RESOURCE_EXHAUSTED);
    client.close();
  });
});

describe('over mutual TLS, prompts in the clear not allowed', () => {
  let world;
  before(async () => { world = await start('tls', 'off'); });
  after(async () => { await world.stop(); });

  test('nobody without a certificate gets a word', async () => {
    for (const credentials of [world.withoutCertificate(), world.credentials()]) {
      const client = sets['set B as mimir'].make(world, credentials);
      await assert.rejects(ask(client, 'FetchMetrics', {}, 5000),
        (error) => error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED);
      client.close();
    }
  });

  for (const name of ['set B as mimir', 'set A as mpcprompt'])
    test(`${name}: token_ids are refused`, async () => {
      const client = sets[name].make(world, world.credentials('client'));
      const session = name.replaceAll(' ', '-');
      const ids = sets[name].ids();
      await ask(client, 'CreateSession', { session_id: session, model_name: 'tiny', mpc_ring: '2^64' });
      await assert.rejects(ask(client, 'SubmitPrompt', { session_id: session, token_ids: ids }), (error) => {
        assert.strictEqual(error.code, status.FAILED_PRECONDITION);
        assert.match(error.details, /prompt\.plaintext_via_coordinator/);
        return true;
      });
      const ticket = await ask(client, 'SubmitPrompt', { session_id: session, masked_tokens: 3 });
      assert.strictEqual(ticket.ok, true);
      assert.strictEqual(ticket.first_step, 1);
      client.close();
    });

  test('a party registers with its own certificate alone', async () => {
    const party = sets['set A as mpcprompt'].make(world, world.credentials('party0'));
    const other = sets['set A as mpcprompt'].make(world, world.credentials('client'));
    assert.match((await ask(party, 'RegisterParty', { party_id: 'party0', addr: world.party0 })).msg, /bound to the key/);
    await assert.rejects(ask(other, 'RegisterParty', { party_id: 'party0', addr: world.party0 }),
      { code: status.PERMISSION_DENIED });
    await assert.rejects(ask(party, 'RegisterParty', { party_id: 'party0', addr: world.party1 }),
      { code: status.FAILED_PRECONDITION });
    party.close();
    other.close();
  });
});
