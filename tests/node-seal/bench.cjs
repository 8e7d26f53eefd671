// SPDX-License-Identifier: Apache-2.0
// Times of node-seal for the rows of `eis bench he` that have the same name: prints {"peer", "rows"} for --peer. It is
// SEAL in WebAssembly, one thread: the peer that npm gives, and no measure of SEAL built natively.
'use strict'

const { performance } = require('node:perf_hooks')

const CHAINS = [[60, 40, 40, 60], [50, 40, 40, 50]]
const DEGREE = 8192

// The median of calls in microseconds: for a second, fifteen at least.
function time (call) {
  const samples = []
  call()
  for (let spent = 0; samples.length < 15 || (spent < 1e6 && samples.length < 401);) {
    const start = performance.now()
    call()
    samples.push((performance.now() - start) * 1e3)
    spent += samples.at(-1)
  }
  samples.sort((a, b) => a - b)
  return samples[samples.length >> 1]
}

function measure (seal, bits) {
  const parms = seal.EncryptionParameters(seal.SchemeType.ckks)
  parms.setPolyModulusDegree(DEGREE)
  parms.setCoeffModulus(seal.CoeffModulus.Create(DEGREE, Int32Array.from(bits)))
  const context = seal.Context(parms, true, seal.SecurityLevel.tc128)
  const generator = seal.KeyGenerator(context)
  const secret = generator.secretKey()
  const relin = generator.createRelinKeys()
  const galois = generator.createGaloisKeys(Int32Array.from([1]))
  const encoder = seal.CKKSEncoder(context)
  const encryptor = seal.Encryptor(context, generator.createPublicKey(), secret)
  const decryptor = seal.Decryptor(context, secret)
  const evaluator = seal.Evaluator(context)
  const x = Float64Array.from({ length: DEGREE / 2 }, () => 2 * Math.random() - 1)
  const plain = encoder.encode(x, 2 ** 40)
  const a = encryptor.encryptSymmetric(plain)
  const b = encryptor.encryptSymmetric(plain)
  const product = evaluator.multiply(a, b)
  const scaled = evaluator.multiplyPlain(a, plain)
  const freed = call => () => call().delete()
  const calls = {
    'encode all slots': freed(() => encoder.encode(x, 2 ** 40)),
    'encode + encrypt, seeded': () => {
      const p = encoder.encode(x, 2 ** 40)
      encryptor.encryptSymmetricSerializable(p).delete()
      p.delete()
    },
    'decrypt + decode': () => {
      const p = decryptor.decrypt(a)
      encoder.decode(p)
      p.delete()
    },
    'ciphertext x plaintext': freed(() => evaluator.multiplyPlain(a, plain)),
    rescale: freed(() => evaluator.rescaleToNext(scaled)),
    'ciphertext x ciphertext': freed(() => evaluator.multiply(a, b)),
    relinearise: freed(() => evaluator.relinearize(product, relin)),
    rotate: freed(() => evaluator.rotateVector(a, 1, galois))
  }
  return Object.entries(calls).map(([name, call]) =>
    ({ name: `${name}, chain ${bits.join(',')}`, value: Number(time(call).toFixed(2)), unit: 'us' }))
}

require('node-seal')().then(seal => {
  const version = require('node-seal/package.json').version
  console.log(JSON.stringify({ peer: `node-seal ${version}`, rows: CHAINS.flatMap(bits => measure(seal, bits)) }))
})
