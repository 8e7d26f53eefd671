#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Valgrind, which watches that no branch and no address depends on a share, runs no AVX-512. There secrets are in vector
# registers, and what would take them to a branch or an address is seen in the disassembly: a test of lanes or masks, a
# comparison whose mask goes to a general register in the same function, gather, scatter, compress. (Masks and lanes by
# themselves may: compilers keep public sizes there.) What plain C does with words in memory is watched on other levels.
# The objects seed_* are left out: seeds and their streams are public.
set -u
build=${EIS_TEST_BUILD:?}
if ! command -v objdump > /dev/null; then
    echo "skipped: no objdump"
    exit 77
fi
if grep -q '^EIS_SANITIZE:[A-Z]*=.' "$build/CMakeCache.txt"; then
    echo "skipped: sanitizers add code of their own"
    exit 77
fi
mapfile -t objects < <(find "$build" -path '*eis_kernel_avx512*' -name '*.o' ! -name 'seed_*')
if [ ${#objects[@]} -eq 0 ]; then
    echo "skipped: no AVX-512 kernels for this kind of processor"
    exit 77
fi

failed=0
for object in "${objects[@]}"; do
    leaks=$(objdump -d --no-show-raw-insn "$object" | awk '
        /^[0-9a-f]+ <.*>:/ { name = $2; compares = 0; out = "" }
        /[ \t](k(or)?test[bwdq]|v?ptestn?m?[bwdq]?|v?u?comis[sd]|v?p?movmsk[a-z]*|vpextr[bwdq]|[a-z0-9]*(gather|scatter|compress)[a-z0-9]*) / { print name, $0 }
        /[ \t]vp?cmp[a-z0-9]* .*%k[0-7]/ { compares = 1; if (out != "") print name, out }
        /[ \t]kmov[bwdq] +%k[0-7],%[re]/ { out = $0; if (compares) print name, out }')
    if [ -n "$leaks" ]; then
        echo "$(basename "$object"): data may leave the vector registers:"
        echo "$leaks"
        failed=1
    fi
done
echo "${#objects[@]} objects looked at"
exit $failed
