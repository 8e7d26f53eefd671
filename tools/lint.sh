#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Format, floors, licence lines, bibliography keys, and three static analysers. Exit 1 on the first kind that fails.
set -u
cd "$(dirname "$0")/.."
failed=0
step() { printf '== %s\n' "$1"; }
sources() { git ls-files '*.c' '*.h' '*.cc'; }

step "format"
sources | xargs clang-format --dry-run -Werror || failed=1
step "floors"
python3 tools/check_layers.py src || failed=1
step "licence lines and bibliography"
python3 tools/check_text.py || failed=1
step "cppcheck"
cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability --suppressions-list=tools/cppcheck.txt \
    -Iinclude -Isrc -j "$(nproc)" $(git ls-files 'src/*.c') || failed=1
step "clang-tidy"
cmake --preset dev-clang >/dev/null && clang-tidy --quiet -p build-dev-clang $(git ls-files 'src/*.c' | grep -v x86_64) || failed=1
step "gcc -fanalyzer"
cmake --preset release -B build-analyzer -DCMAKE_C_FLAGS=-fanalyzer >/dev/null &&
    cmake --build build-analyzer -j "$(nproc)" --target eis eis-server 2>&1 | grep -E 'warning: .*Wanalyzer' && failed=1
[ $failed -eq 0 ] && echo "lint: clean"
exit $failed
