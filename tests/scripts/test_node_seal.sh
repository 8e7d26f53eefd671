#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# If our bytes were not those of SEAL, no client that exists could talk to us. node-seal, which shares no line with us, reads
# what we write, writes what we read, and computes the same words.
set -u
root=${EIS_TEST_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${EIS_TEST_BUILD:-$root/build}
skip() { echo "SKIP: $*"; exit 77; }
source "$root/tests/support/npm.sh"

[ -x "$build/peer.node_seal" ] || skip "peer.node_seal is not built in $build"
npm_install node-seal
cd "$work" && EIS_TEST_ROOT=$root EIS_NODE_SEAL_PEER=$build/peer.node_seal timeout 1500 npm test -- wire.test.cjs
