#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Clients that we did not write get a text from our coordinator: @grpc/grpc-js, with both packages and both message sets
# of the original, over plaintext and over mutual TLS.
set -u
root=${EIS_TEST_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${EIS_TEST_BUILD:-$root/build}
skip() { echo "SKIP: $*"; exit 77; }
source "$root/tests/support/npm.sh"

[ -x "$build/peer.grpc_js" ] || skip "$build/peer.grpc_js is not built"
npm_install grpc-js
cd "$work" && EIS_TEST_ROOT=$root EIS_TEST_BUILD=$build timeout 600 npm test -- coordinator.test.cjs
