// SPDX-License-Identifier: Apache-2.0
// A client of the Encrypted Inference API that shares no line with ours: node-seal, and the formulas of docs/api.md.
'use strict'

const assert = require('node:assert/strict')
const { envelope } = require('./api_client.cjs')

// Which number of an input stands in a slot of ciphertext k; -1 for a zero.
function packedIndex (packing, slots, k, slot) {
  const { size, padded, copies } = packing
  let index = -1
  if (packing.kind === 'features') index = k
  if (packing.kind === 'rows' && slot < padded * copies) index = k * padded + slot % padded
  if (packing.kind === 'blocks' && slot < padded * copies) {
    index = (Math.floor(slot / copies) + slot % copies * packing.shift) % padded
  }
  if (packing.kind === 'windows') index = windowIndex(packing, k, slot)
  return index < size ? index : -1
}

// im2col: slot padded * tap + w holds tap `tap` of window k * padded + w.
function windowIndex (packing, k, slot) {
  const [[channels, height, width], [kernelY, kernelX]] = [packing.image, packing.kernel]
  const [[strideY, strideX], [padY, padX]] = [packing.stride, packing.padding]
  const across = Math.floor((width + 2 * padX - kernelX) / strideX) + 1
  const down = Math.floor((height + 2 * padY - kernelY) / strideY) + 1
  const [tap, window] = [Math.floor(slot / packing.padded), k * packing.padded + slot % packing.padded]
  if (tap >= channels * kernelY * kernelX || window >= across * down) return -1
  const channel = Math.floor(tap / (kernelY * kernelX))
  const y = Math.floor(window / across) * strideY - padY + Math.floor(tap / kernelX) % kernelY
  const x = window % across * strideX - padX + tap % kernelX
  if (y < 0 || y >= height || x < 0 || x >= width) return -1
  return (channel * height + y) * width + x
}

// Where value i of an answer stands.
function valuePlace (output, slots, i) {
  const per = output.per_ciphertext
  const slot = output.start + (i % per) * output.stride
  return { ciphertext: Math.floor(i / per), slot: ((slot % slots) + slots) % slots }
}

// The header form that SEAL 3.6 and every 4.x read: version 3.6 in every header, no correction factor.
function universalForm (bytes) {
  const from = Buffer.from(bytes)
  assert.equal(from[5], 0, 'only uncompressed objects can be rewritten')
  const to = Buffer.concat([from.subarray(0, 81), from.subarray(89)])
  to.writeBigUInt64LE(BigInt(to.length), 8)
  for (let header = 0; header < to.length; header = header === 0 ? 81 : header + Number(to.readBigUInt64LE(header + 8))) {
    assert.equal(to.readUInt16LE(header), 0xa15e)
    to[header + 3] = 3
    to[header + 4] = 6
  }
  return to
}

class SealClient {
  // entry: of GET /models.
  constructor (seal, entry) {
    const { poly_modulus_degree: degree, coeff_modulus_bits: bits } = entry.encryption_parameters
    const parms = seal.EncryptionParameters(seal.SchemeType.ckks)
    parms.setPolyModulusDegree(degree)
    parms.setCoeffModulus(seal.CoeffModulus.Create(degree, Int32Array.from(bits)))
    this.seal = seal
    this.entry = entry
    this.degree = degree
    this.slots = degree / 2
    this.context = seal.Context(parms, true, seal.SecurityLevel.tc128)
    assert.ok(this.context.parametersSet())
    this.primes = Array.from(parms.coeffModulus, prime => String(prime))
    this.generator = seal.KeyGenerator(this.context)
    const secret = this.generator.secretKey()
    this.encryptor = seal.Encryptor(this.context, this.generator.createPublicKey(), secret)
    this.decryptor = seal.Decryptor(this.context, secret)
    this.encoder = seal.CKKSEncoder(this.context)
    this.evaluator = seal.Evaluator(this.context)
  }

  // The names of the levels as hex, one prime first and the key level last.
  parmsIds () {
    const hex = data => {
      const bytes = Buffer.alloc(32)
      data.parmsId.values.forEach((word, i) => bytes.writeBigUInt64LE(word, 8 * i))
      return bytes.toString('hex')
    }
    const ids = [hex(this.context.keyContextData)]
    let data = this.context.firstContextData
    while (ids.length < this.primes.length) {
      ids.push(hex(data))
      data = data.nextContextData
    }
    return ids.reverse()
  }

  // Steps whose automorphisms are X -> X^element: element = 3^step mod 2N.
  steps (elements) {
    const step = new Map()
    for (let k = 0, element = 1; k < this.slots; k++, element = element * 3 % (2 * this.degree)) step.set(element, k)
    return Int32Array.from(elements, element => {
      if (element === 2 * this.degree - 1) return 0 // node-seal's name for the conjugation
      assert.ok(step.get(element) > 0, `element ${element} is no rotation`)
      return step.get(element)
    })
  }

  // The body of PUT /keys/{digest}.
  keysBody ({ seeded = true, mode = this.seal.ComprModeType.none } = {}) {
    const needs = this.entry.evaluation_keys
    const parts = {}
    if (needs.relin) parts.relin = seeded ? this.generator.createRelinKeysSerializable() : this.generator.createRelinKeys()
    if (needs.galois_elements.length > 0) {
      const steps = this.steps(needs.galois_elements)
      parts.galois = seeded ? this.generator.createGaloisKeysSerializable(steps) : this.generator.createGaloisKeys(steps)
    }
    if (needs.public) parts.public = seeded ? this.generator.createPublicKeySerializable() : this.generator.createPublicKey()
    const bytes = Object.entries(parts).map(([name, key]) => [name, Buffer.from(key.saveArray(mode))])
    const { model_id: modelId, version } = this.entry
    return envelope({ model_id: modelId, version, parts: bytes.map(([name, part]) => ({ name, length: part.length })) },
      bytes.map(([, part]) => part))
  }

  // A plaintext at a level that has fewer primes than a fresh one.
  atLevel (plain, limbs) {
    while (plain.coeffCount > limbs * this.degree) plain = this.evaluator.plainModSwitchToNext(plain)
    return plain
  }

  // x[batch][size] to the ciphertexts of a request.
  encrypt (x, { seeded = false, stage = 0, mode = this.seal.ComprModeType.none } = {}) {
    const { packing } = this.entry.stages[stage]
    return Array.from({ length: packing.ciphertexts }, (_, k) => {
      const values = Float64Array.from({ length: this.slots }, (_, slot) => {
        const index = packedIndex(packing, this.slots, k, slot)
        const sample = packing.kind === 'features' ? x[slot] : x[0]
        return index < 0 || sample === undefined ? 0 : sample[index]
      })
      const plain = this.atLevel(this.encoder.encode(values, packing.scale), packing.limbs)
      const sealed = seeded ? this.encryptor.encryptSymmetricSerializable(plain) : this.encryptor.encrypt(plain)
      return Buffer.from(sealed.saveArray(mode))
    })
  }

  load (bytes) {
    const ct = this.seal.CipherText()
    ct.loadArray(this.context, new Uint8Array(bytes))
    return ct
  }

  // The ciphertexts of an answer to y[batch][count], after the checks that need no key.
  decrypt (ciphertexts, batch, stage = 0) {
    const { output } = this.entry.stages[stage]
    assert.equal(ciphertexts.length, output.ciphertexts)
    const slots = ciphertexts.map(bytes => {
      const ct = this.load(bytes)
      assert.equal(ct.size, output.polynomials)
      assert.equal(ct.coeffModulusSize, output.limbs)
      assert.ok(Math.abs(ct.scale / output.scale - 1) < 2 ** -20, `the scale is ${ct.scale}`)
      return this.encoder.decode(this.decryptor.decrypt(ct))
    })
    return Array.from({ length: batch }, (_, j) => Float64Array.from({ length: output.count }, (_, i) => {
      if (output.kind === 'samples') return slots[i][j]
      const { ciphertext, slot } = valuePlace(output, this.slots, i)
      return slots[ciphertext][slot]
    }))
  }
}

module.exports = { SealClient, packedIndex, valuePlace, universalForm }
