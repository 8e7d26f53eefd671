#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A compiler that keeps the sums of a hot loop on the stack halves the speed without any wrong result (gcc 12 does so
# when it may choose the order itself: six and more stores per loop). The hot loops are functions named strip_*; from
# their first to their last multiply at most two vector registers, operands, may be stored to the stack. In the objects
# of transforms and pointwise arithmetic the loops are found by their jumps: an innermost one with products may store
# three registers of 256 bits to the stack, none of 512 (constants may be read from there).
set -u
build=${EIS_TEST_BUILD:?}
if ! grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Release' "$build/CMakeCache.txt"; then
    echo "skipped: only a release build is meant to be fast"
    exit 77
fi
if ! command -v objdump > /dev/null; then
    echo "skipped: no objdump"
    exit 77
fi
mapfile -t objects < <(find "$build" -path '*eis_kernel_*' -name 'matmul_*.o')
if [ ${#objects[@]} -eq 0 ]; then
    echo "skipped: no kernels for this kind of processor"
    exit 77
fi

failed=0
for object in "${objects[@]}"; do
    report=$(objdump -d --no-show-raw-insn "$object" | awk '
        /^[0-9a-f]+ <.*>:/ { name = ($2 ~ /^<strip_/) ? $2 : "" }
        name != "" && /vpmaddwd|vpmuludq|vpmulld|vpdpbusd|vpmadd52/ { spills[name] += pending[name]; pending[name] = 0; seen[name] = 1 }
        name != "" && seen[name] && /vmov[a-z0-9]+ +%[yz]mm[0-9]+,-?(0x[0-9a-f]+)?\(%r[sb]p/ { pending[name]++ }
        name != "" && seen[name] && /vmov[a-z0-9]+ +%zmm[0-9]+,(%zmm|-?(0x[0-9a-f]+)?\(%r[sb]p)/ { pending[name] += 3 }
        END { for (f in seen) printf "%s %d\n", f, spills[f] }')
    echo "$(basename "$object"): $(grep -c . <<< "$report") loops"
    if bad=$(grep -v ' [012]$' <<< "$report"); then
        echo "sums on the stack, or copied (loop, stores; 3 and more for one of 512 bits): $bad"
        failed=1
    fi
done

mapfile -t objects < <(find "$build" -path '*eis_kernel_*' \( -name 'ntt_*.o' -o -name 'zq_*.o' \))
for object in "${objects[@]}"; do
    report=$(objdump -d --no-show-raw-insn "$object" | awk '
        function number(hex,   i, v) {
            for (i = 1; i <= length(hex); i++) v = v * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
            return v
        }
        /^[0-9a-f]+ <.*>:/ { name = $2; count = 0; closed = -1; next }
        /^ *[0-9a-f]+:/ {
            address = $1; sub(":", "", address)
            at[count] = number(address)
            hot[count] = /vpmuludq|vpmulld|vpmullq|vpmadd52|vmulpd|vfn?m(add|sub)[0-9]+pd/
            spill[count] = /vmov[a-z0-9]+ +%[yz]mm[0-9]+,-?(0x[0-9a-f]+)?\(%r[sb]p/ ? (/%zmm/ ? 4 : 1) : 0
            if ($2 ~ /^j/ && $3 ~ /^[0-9a-f]+$/ && number($3) <= at[count] && number($3) > closed) {
                products = stores = 0
                for (i = count; i >= 0 && at[i] >= number($3); i--) { products += hot[i]; stores += spill[i] }
                closed = at[count]
                if (products > 0) printf "%s %d\n", name address, stores
            }
            count++
        }')
    echo "$(basename "$object"): $(grep -c . <<< "$report") loops"
    if bad=$(grep -v ' [0123]$' <<< "$report" | grep .); then
        echo "vectors stored to the stack in a loop (its end; stores, of 512 bits four times): $bad"
        failed=1
    fi
done
exit $failed
