#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A client that we did not write must get right answers from our server: node-seal encrypts and decrypts, `eis serve api`
# computes, and all that the client knows comes from the documents and from GET /models.
set -u
root=${EIS_TEST_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${EIS_TEST_BUILD:-$root/build}
skip() { echo "SKIP: $*"; exit 77; }
source "$root/tests/support/npm.sh"

[ -x "$build/eis" ] || skip "$build/eis is not built"
npm_install node-seal
cd "$work" && EIS_TEST_ROOT=$root EIS_PROGRAM=$build/eis timeout 900 npm test -- service.test.cjs models.test.cjs
