#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# If an upper floor leaked into a lower one, cryptography could come to see sockets. The checker must pass on the tree
# and fail on a planted violation of each kind.
set -u
root=${EIS_TEST_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
check=$root/tools/check_layers.py
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 "$check" "$root/src" || { echo "FAIL: the tree breaks its floors"; exit 1; }

plant() { # FILE INCLUDE
    rm -rf "$scratch/src"
    cp -r "$root/src" "$scratch/src"
    mkdir -p "$(dirname "$scratch/src/$1")"
    printf '#include "%s"\n' "$2" >> "$scratch/src/$1"
    if python3 "$check" "$scratch/src" > "$scratch/out"; then
        echo "FAIL: $1 including $2 was not seen"; exit 1
    fi
    grep -q "$1" "$scratch/out" || { echo "FAIL: the message does not name $1"; exit 1; }
}
plant share/planted.c net/tls.h          # upwards
plant encode/planted.c share/split.h     # sideways, same floor
plant net/planted.c rand/prg.h           # below, but outside what net/ is narrowed to
plant base/planted.c "status.h"          # not written from the root of src/
plant stray/planted.c base/status.h      # a folder that LAYERS does not name
echo ok
