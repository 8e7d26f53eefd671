#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# If our bytes were not those of SEAL, no client that exists could talk to us. node-seal, which shares no line with us, reads
# what we write, writes what we read, and computes the same words. Packages come from whichever registry this machine's npm
# uses; the lock file holds their digests and no addresses.
set -u
root=${EIS_TEST_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${EIS_TEST_BUILD:-$root/build}
skip() { echo "skipped: $1"; exit 77; }

[ -x "$build/peer.node_seal" ] || skip "peer.node_seal is not built in $build"
command -v node > /dev/null || skip "node is not installed"
command -v npm > /dev/null || skip "npm is not installed"
[ "$(node -p 'process.versions.node.split(".")[0] >= 20 ? 1 : 0')" = 1 ] || skip "node is older than version 20"

# Builds may run side by side and the tree may be read-only: the packages are installed in the build directory.
work=$build/node-seal
mkdir -p "$work"
cp "$root"/tests/node-seal/{package.json,package-lock.json,.npmrc} "$root"/tests/node-seal/*.cjs "$work/"
if ! cmp -s "$work/package-lock.json" "$work/node_modules/.installed"; then
    if ! (cd "$work" && timeout 300 npm ci --ignore-scripts) > "$work/npm.log" 2>&1; then
        grep -Eq 'EINTEGRITY|EUSAGE|EJSONPARSE' "$work/npm.log" && { cat "$work/npm.log"; echo "FAIL: the lock file does not fit"; exit 1; }
        skip "npm cannot fetch node-seal: $(grep -m1 -oE 'code [A-Z0-9_]+' "$work/npm.log" || echo 'no reason given')"
    fi
    cp "$work/package-lock.json" "$work/node_modules/.installed"
fi
cd "$work" && EIS_NODE_SEAL_PEER=$build/peer.node_seal timeout 1500 npm test
