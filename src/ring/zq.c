/* SPDX-License-Identifier: Apache-2.0 */
/* Everything here is public and runs once per chain, so it is written for the reader: 128-bit arithmetic, division. */
#include "ring/zq.h"

#include "base/mem.h"

#include <string.h>

static unsigned bit_length(uint64_t v)
{
    unsigned bits = 0;

    for (; v != 0; v >>= 1) bits++;
    return bits;
}

static uint64_t power_mod(uint64_t a, uint64_t exponent, uint64_t n)
{
    uint64_t r = 1 % n;

    for (a %= n; exponent != 0; exponent >>= 1) {
        if (exponent & 1) r = (uint64_t)((eis_zq_wide)r * a % n);
        a = (uint64_t)((eis_zq_wide)a * a % n);
    }
    return r;
}

/* n - 1 = odd * 2^twos. A prime n has base^odd = 1, or one of its squarings is -1. */
static bool is_strong_probable_prime(uint64_t n, uint64_t base)
{
    uint64_t odd = n - 1, x;
    unsigned twos = 0;

    for (; odd % 2 == 0; odd /= 2) twos++;
    x = power_mod(base, odd, n);
    if (x == 1 || x == n - 1) return true;
    for (unsigned i = 1; i < twos; i++) {
        x = (uint64_t)((eis_zq_wide)x * x % n);
        if (x == n - 1) return true;
    }
    return false;
}

bool eis_zq_is_prime_var(uint64_t n)
{
    static const uint64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    const size_t count = sizeof bases / sizeof bases[0];

    if (n < 2) return false;
    for (size_t i = 0; i < count; i++) {
        if (n % bases[i] == 0) return n == bases[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_strong_probable_prime(n, bases[i])) return false;
    }
    return true;
}

eis_status eis_modulus_init(eis_modulus *m, uint64_t q)
{
    const unsigned bits = bit_length(q);
    eis_zq_factor wrap;

    if (q % 2 == 0 || bits < EIS_ZQ_BITS_MIN || bits > EIS_ZQ_BITS_MAX) {
        return eis_fail(EIS_ERR_RANGE, "a modulus must be odd, above 2 and of at most %d bits", EIS_ZQ_BITS_MAX);
    }
    *m = (eis_modulus){
        .q = q,
        .bits = bits,
        .barrett = (uint64_t)(((eis_zq_wide)1 << (2 * bits)) / q),
        .barrett64 = (uint64_t)(((eis_zq_wide)1 << 64) / q),
        .q_real = (double)q,
        .q_inverse = 1.0 / (double)q,
    };
    wrap = eis_zq_factor_make((uint64_t)(((eis_zq_wide)1 << 64) % q), m);
    m->wrap = wrap.value;
    m->wrap_shoup = wrap.shoup;
    return EIS_OK;
}

eis_zq_factor eis_zq_factor_make(uint64_t value, const eis_modulus *m)
{
    eis_zq_factor factor = {.value = value % m->q};

    factor.shoup = (uint64_t)(((eis_zq_wide)factor.value << 64) / m->q);
    return factor;
}

uint64_t eis_zq_power_var(uint64_t a, uint64_t exponent, const eis_modulus *m) { return power_mod(a, exponent, m->q); }

/* Fermat: a^(q-2). */
uint64_t eis_zq_inverse_var(uint64_t a, const eis_modulus *m)
{
    EIS_ASSERT(a % m->q != 0);
    return power_mod(a, m->q - 2, m->q);
}

/* Some primitive 2n-th root: g^((q-1)/2n) is one where its n-th power is -1, which half of all g give. */
static uint64_t some_root(size_t n, uint64_t q)
{
    uint64_t root = 0;

    for (uint64_t g = 2; g < q; g++) {
        root = power_mod(g, (q - 1) / (2 * n), q);
        if (power_mod(root, n, q) == q - 1) break;
    }
    return root;
}

eis_status eis_zq_root_find_var(uint64_t *root, size_t n, const eis_modulus *m)
{
    uint64_t power, smallest;
    eis_zq_factor square;

    EIS_ASSERT(n != 0 && (n & (n - 1)) == 0 && n <= (size_t)1 << EIS_NTT_DEGREE_LOG2_MAX);
    if ((m->q - 1) % (2 * n) != 0 || !eis_zq_is_prime_var(m->q)) {
        return eis_fail(EIS_ERR_RANGE, "a modulus is not a prime that is 1 modulo twice the degree %zu", n);
    }
    power = smallest = some_root(n, m->q);
    square = eis_zq_factor_make((uint64_t)((eis_zq_wide)power * power % m->q), m);
    for (size_t i = 1; i < n; i++) { /* the primitive roots are the odd powers of one */
        power = eis_zq_mul_factor(power, square, m->q);
        if (power < smallest) smallest = power;
    }
    *root = smallest;
    return EIS_OK;
}

/* Writes the `count` largest primes of a size, largest first. */
static eis_status largest_primes(uint64_t *primes, size_t count, unsigned bits, size_t n)
{
    const uint64_t step = 2 * (uint64_t)n, half = UINT64_C(1) << (bits - 1);
    uint64_t v = (2 * half - 1) / step * step + 1;
    size_t found = 0;

    for (; found < count && v > half; v -= step) {
        if (eis_zq_is_prime_var(v)) primes[found++] = v;
    }
    if (found == count) return EIS_OK;
    return eis_fail(EIS_ERR_RANGE, "there are only %zu primes of %u bits for degree %zu, and %zu are wanted", found,
                    bits, n, count);
}

static size_t count_size(const unsigned *bits, size_t count, unsigned size)
{
    size_t times = 0;

    for (size_t i = 0; i < count; i++) times += bits[i] == size;
    return times;
}

/* Puts the primes of one size into their places: the first place gets the smallest. */
static void hand_out(uint64_t *primes, const unsigned *bits, size_t count, unsigned size, const uint64_t *found,
                     size_t times)
{
    for (size_t i = 0; i < count; i++) {
        if (bits[i] == size) primes[i] = found[--times];
    }
}

#define CHOSEN_BITS_MAX 60 /* SEAL's largest size */

eis_status eis_zq_primes_choose(uint64_t *primes, const unsigned *bits, size_t count, size_t n)
{
    uint64_t *chosen = NULL, *found = NULL;
    eis_status st = EIS_OK;

    EIS_ASSERT(n != 0 && (n & (n - 1)) == 0 && n <= (size_t)1 << EIS_NTT_DEGREE_LOG2_MAX);
    EIS_NEW(chosen, count);
    EIS_NEW(found, count);
    for (size_t i = 0; i < count; i++) {
        EIS_REQUIRE(bits[i] >= EIS_ZQ_BITS_MIN && bits[i] <= CHOSEN_BITS_MAX, EIS_ERR_RANGE,
                    "a prime must have %d to %d bits", EIS_ZQ_BITS_MIN, CHOSEN_BITS_MAX);
        if (count_size(bits, i, bits[i]) == 0) { /* the first of its size */
            size_t times = count_size(bits, count, bits[i]);

            EIS_TRY(largest_primes(found, times, bits[i], n));
            hand_out(chosen, bits, count, bits[i], found, times);
        }
    }
    memcpy(primes, chosen, count * sizeof *primes);
out:
    eis_mem_free(chosen);
    eis_mem_free(found);
    return st;
}
