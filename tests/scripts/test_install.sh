#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Somebody else's program: installed headers, pkg-config and the library alone, in C and in C++. A header that leans on
# our tree, or a name that is visible by accident, would only be noticed by them, and could never be taken back.
set -u
root=${EIS_TEST_ROOT:?}
build=${EIS_TEST_BUILD:?}
skip() { echo "SKIP: $*"; exit 77; }
fail() { echo "FAIL: $*"; exit 1; }
command -v pkg-config >/dev/null || skip "no pkg-config"
[ -e "$build/libeis.so" ] || skip "$build/libeis.so is not built"
for made in eis eis-server man/eis.1; do [ -e "$build/$made" ] || skip "$build/$made is not built, so nothing can be installed"; done
cache() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/log" 2>&1 || fail "cmake --install: $(tail -n 3 "$scratch/log")"
pc=$(find "$scratch/prefix" -name eis.pc) && [ -n "$pc" ] || fail "no eis.pc was installed"
export PKG_CONFIG_PATH=${pc%/*}
[ "$(pkg-config --modversion eis)" = "$(cat "$root/VERSION")" ] || fail "eis.pc has another version than VERSION"
read -ra compile <<<"$(pkg-config --cflags eis)"
read -ra flags <<<"$(pkg-config --cflags --libs eis)"
strict=(-Wall -Wextra -Wshadow -Wconversion -pedantic -Werror)
sanitize=()
[ -z "$(cache EIS_SANITIZE)" ] || sanitize=("-fsanitize=$(cache EIS_SANITIZE)")
cc=$(cache CMAKE_C_COMPILER); cxx=$(cache CMAKE_CXX_COMPILER)

# each header by itself, in both languages
for header in "$scratch"/prefix/include/eis/*.h; do
    printf '#include <eis/%s>\ntypedef int unit_is_not_empty;\n' "$(basename "$header")" >"$scratch/one.c"
    "$cc" -std=c11 "${strict[@]}" -Wstrict-prototypes -fsyntax-only "$scratch/one.c" "${compile[@]}" || fail "$header is no C of its own"
    "$cxx" -std=c++11 "${strict[@]}" -x c++ -fsyntax-only "$scratch/one.c" "${compile[@]}" || fail "$header is no C++ of its own"
done

# a program that computes; the same text is C and C++
cat >"$scratch/user.c" <<'PROGRAM'
#include <eis/eis.h>
#include <math.h>
#include <stdio.h>
int main(void)
{
    const float w[2] = {0.5f, -2.0f};
    const double x[2] = {3.0, 0.25};
    double y = 0;
    eis_split_linear *linear = NULL;
    eis_split_query *query = NULL;
    eis_status st = eis_split_linear_new(&linear, w, 1, 2, NULL);
    const uint8_t *pack = NULL, *share = NULL, *answer = NULL;
    size_t pack_bytes = 0, bytes = 0, count = 0;
    if (st == EIS_OK) st = eis_split_linear_protect(linear, &query, x, 1);
    if (st == EIS_OK) eis_split_linear_pack(linear, &pack, &pack_bytes);
    for (size_t s = 1; st == EIS_OK && s <= 2; s++) {
        eis_split_worker *worker = NULL;
        st = eis_split_worker_new(&worker, pack, pack_bytes);
        if (st == EIS_OK) st = eis_split_query_share(query, &share, &bytes, s);
        if (st == EIS_OK) st = eis_split_worker_eval(worker, &answer, &count, share, bytes);
        if (st == EIS_OK) st = eis_split_query_add(query, s, answer, count);
        eis_split_worker_free(worker);
    }
    if (st == EIS_OK) st = eis_split_query_recover(query, &y);
    eis_split_query_free(query);
    eis_split_linear_free(linear);
    printf("%s %.6f %s\n", eis_version(), y, eis_status_code(st));
    return st == EIS_OK && fabs(y - 1.0) < 1e-6 ? 0 : 1;
}
PROGRAM
cp "$scratch/user.c" "$scratch/user.cc"
linker=$cc
[ ${#sanitize[@]} -eq 0 ] || linker=$cxx # the library has one C++ file, and clang puts what its checks need into the program
"$cc" -std=c11 "${strict[@]}" "${sanitize[@]}" -c -o "$scratch/user.o" "$scratch/user.c" "${compile[@]}" &&
    "$linker" "${sanitize[@]}" -o "$scratch/user_c" "$scratch/user.o" "${flags[@]}" -lm || fail "a C program does not build"
"$cxx" -std=c++11 "${strict[@]}" "${sanitize[@]}" -o "$scratch/user_cc" "$scratch/user.cc" "${flags[@]}" -lm || fail "a C++ program does not build"
export LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
for program in user_c user_cc; do
    timeout 60 "$scratch/$program" >"$scratch/out" 2>&1 || fail "$program: $(cat "$scratch/out")"
done

# what is visible is what is declared, and the other way round
nm -D --defined-only "$LD_LIBRARY_PATH/libeis.so" | awk '{ print $NF }' | sort >"$scratch/visible"
awk '/^EIS_API/ { text = $0; while (text !~ /[(]/) { getline more; text = text more }
     sub(/[(].*/, "", text); sub(/.*[ *]/, "", text); print text }' "$scratch"/prefix/include/eis/*.h | sort >"$scratch/declared"
grep -v '^eis_' "$scratch/visible" && fail "names that are not ours are visible"
[ -s "$scratch/declared" ] || fail "no declaration was found"
diff "$scratch/declared" "$scratch/visible" || fail "declared (<) and visible (>) differ"
echo "ok: $(wc -l <"$scratch/visible") functions"
