/* SPDX-License-Identifier: Apache-2.0 */
/* Times of Microsoft SEAL, built natively, for the rows of `eis bench he` that have the same name: prints
 * {"peer", "rows"} for --peer. No part of our programs; `SEAL_DIR=PREFIX ./run bench he` builds it for a SEAL that is
 * installed under PREFIX, as does
 *
 *   PKG_CONFIG_PATH=PREFIX/lib/pkgconfig c++ -std=c++17 -O3 -DNDEBUG bench/seal_native.cc $(pkg-config --cflags --libs
 * seal)
 *
 * Times are taken as bench_he_chain.c takes ours: processor time of one thread, batches of a millisecond, the median of
 * a second's. Results go to objects that are already there, whose memory SEAL uses again. */
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include <seal/seal.h>
#include <seal/util/ntt.h>

namespace
{

constexpr double batch_ns = 1e6, total_ns = 1e9;
constexpr std::size_t samples_min = 15, samples_max = 401;

double thread_ns()
{
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

template <class Call> double time_batch(const Call &call, std::size_t calls)
{
    const double start = thread_ns();
    for (std::size_t i = 0; i < calls; i++) call();
    return thread_ns() - start;
}

/* The median of one call in microseconds. */
template <class Call> double time_us(const Call &call)
{
    std::vector<double> samples;
    double spent = 0;

    time_batch(call, 1); /* warms caches and the memory pool */
    const double once = time_batch(call, 1);
    const std::size_t calls = once < batch_ns ? static_cast<std::size_t>(batch_ns / (once + 1)) + 1 : 1;
    while (samples.size() < samples_max && (samples.size() < samples_min || spent < total_ns)) {
        const double ns = time_batch(call, calls);
        spent += ns;
        samples.push_back(ns / (1e3 * static_cast<double>(calls)));
    }
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 2];
}

void print_row(const std::string &name, double us)
{
    static const char *separator = "";
    std::printf("%s\n  {\"name\": \"%s\", \"value\": %.4g, \"unit\": \"us\"}", separator, name.c_str(), us);
    separator = ",";
}

void time_transforms(unsigned degree_log2, int bits)
{
    const std::size_t n = std::size_t{1} << degree_log2;
    const seal::Modulus q = seal::CoeffModulus::Create(n, {bits})[0];
    const seal::util::NTTTables tables(static_cast<int>(degree_log2), q);
    const std::string tail = ", N = " + std::to_string(n) + ", " + std::to_string(bits) + "-bit prime";
    std::mt19937_64 random(n);
    std::vector<std::uint64_t> a(n);

    for (std::uint64_t &word : a) word = random() % q.value();
    print_row("forward NTT" + tail, time_us([&] { seal::util::ntt_negacyclic_harvey(a.data(), tables); }));
    print_row("inverse NTT" + tail, time_us([&] { seal::util::inverse_ntt_negacyclic_harvey(a.data(), tables); }));
}

void time_chain(const std::string &name, const std::vector<int> &bits)
{
    constexpr std::size_t degree = 8192;
    const double scale = 0x1p40;
    seal::EncryptionParameters parms(seal::scheme_type::ckks);
    parms.set_poly_modulus_degree(degree);
    parms.set_coeff_modulus(seal::CoeffModulus::Create(degree, bits));
    const seal::SEALContext context(parms);
    seal::KeyGenerator generator(context);
    seal::RelinKeys relin;
    seal::GaloisKeys galois;
    generator.create_relin_keys(relin);
    generator.create_galois_keys(std::vector<int>{1}, galois);
    seal::CKKSEncoder encoder(context);
    const seal::Encryptor encryptor(context, generator.secret_key());
    seal::Decryptor decryptor(context, generator.secret_key());
    const seal::Evaluator evaluator(context);

    std::mt19937_64 random(degree);
    std::uniform_real_distribution<double> real(-1, 1);
    std::vector<double> x(degree / 2), decoded;
    for (double &value : x) value = real(random);
    seal::Plaintext plain, message, decrypted;
    seal::Ciphertext a, b, product, scaled, rescaled, r;
    encoder.encode(x, scale, plain);
    encryptor.encrypt_symmetric(plain, a);
    encryptor.encrypt_symmetric(plain, b);
    evaluator.multiply(a, b, product);
    evaluator.multiply_plain(a, plain, scaled);

    const auto row = [&](const char *what, auto call) { print_row(what + (", " + name), time_us(call)); };
    row("encode all slots", [&] { encoder.encode(x, scale, message); });
    row("encode + encrypt, seeded", [&] {
        encoder.encode(x, scale, message);
        (void)encryptor.encrypt_symmetric(message);
    });
    row("decrypt + decode", [&] {
        decryptor.decrypt(a, decrypted);
        encoder.decode(decrypted, decoded);
    });
    row("ciphertext x plaintext", [&] { evaluator.multiply_plain(a, plain, r); });
    const double copy = time_us([&] { rescaled = scaled; }); /* taken off, as it is from ours */
    print_row("rescale, " + name, time_us([&] {
                                      rescaled = scaled;
                                      evaluator.rescale_to_next_inplace(rescaled);
                                  }) - copy);
    row("ciphertext x ciphertext", [&] { evaluator.multiply(a, b, r); });
    row("relinearise", [&] { evaluator.relinearize(product, relin, r); });
    row("rotate", [&] { evaluator.rotate_vector(a, 1, galois, r); });
}

} // namespace

int main()
{
#ifdef SEAL_USE_INTEL_HEXL
    const char *const hexl = " with HEXL";
#else
    const char *const hexl = "";
#endif
    std::printf("{\"peer\": \"SEAL %s%s\", \"rows\": [", SEAL_VERSION, hexl);
    for (const int bits : {40, 50, 60}) time_transforms(13, bits);
    for (const int bits : {40, 60}) time_transforms(14, bits);
    time_chain("chain 60,40,40,60", {60, 40, 40, 60});
    time_chain("chain 50,40,40,50", {50, 40, 40, 50});
    std::printf("]}\n");
}
