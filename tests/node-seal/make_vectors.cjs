// SPDX-License-Identifier: Apache-2.0
// Writes tests/vectors/seal/: objects made by node-seal, and the digests of what its evaluator makes of them.
// usage: node make_vectors.cjs DIR
'use strict'

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

async function main (dir) {
  const seal = await require('node-seal')()
  const { none, zlib, zstd } = seal.ComprModeType
  const [degree, scale] = [4096, 2 ** 30]
  const parms = seal.EncryptionParameters(seal.SchemeType.ckks)
  parms.setPolyModulusDegree(degree)
  parms.setCoeffModulus(seal.CoeffModulus.Create(degree, Int32Array.from([36, 30, 36])))
  const context = seal.Context(parms, true, seal.SecurityLevel.tc128)
  const generator = seal.KeyGenerator(context)
  const encryptor = seal.Encryptor(context, generator.createPublicKey(), generator.secretKey())
  const evaluator = seal.Evaluator(context)
  const encoder = seal.CKKSEncoder(context)
  const message = Float64Array.from({ length: degree / 2 }, (_, i) => Math.sin(0.37 * i + 1))
  const put = (name, bytes) => fs.writeFileSync(path.join(dir, name), bytes)

  const ct = encryptor.encryptSymmetricSerializable(encoder.encode(message, scale)).saveArray(zstd)
  const relin = generator.createRelinKeysSerializable().saveArray(zstd)
  const galois = generator.createGaloisKeysSerializable(Int32Array.from([1, 0])).saveArray(zstd)
  put('params.seal', parms.saveArray(none))
  put('secret.seal', generator.secretKey().saveArray(zstd))
  put('ciphertext.seal', ct)
  put('relin.seal', relin)
  put('galois.seal', galois)
  put('plaintext.seal', encoder.encode(Float64Array.from({ length: degree / 2 }, () => 0.5), scale).saveArray(zlib))

  const [a, relinKeys, galoisKeys] = [seal.CipherText(), seal.RelinKeys(), seal.GaloisKeys()]
  a.loadArray(context, ct)
  relinKeys.loadArray(context, relin)
  galoisKeys.loadArray(context, galois)
  const square = evaluator.relinearize(evaluator.square(a), relinKeys)
  const results = {
    square,
    rescaled: evaluator.rescaleToNext(square),
    left_1: evaluator.rotateVector(a, 1, galoisKeys),
    conjugate: evaluator.complexConjugate(a, galoisKeys)
  }
  const lines = Object.entries(results).map(([name, r]) =>
    `${crypto.createHash('sha256').update(r.saveArray(none)).digest('hex')}  ${name}\n`)
  put('results.sha256', lines.join(''))
}

main(process.argv[2])
