#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A contract that the server does not keep is worse than none. The description, the schemas, docs/api.md and its examples are
# held against each other (redocly, spectral, ajv) and against every answer of a running `eis serve api`.
set -u
root=${EIS_TEST_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${EIS_TEST_BUILD:-$root/build}
skip() { echo "SKIP: $*"; exit 77; }
source "$root/tests/support/npm.sh"

[ -x "$build/eis" ] || skip "$build/eis is not built"
npm_install api
cd "$work" && EIS_TEST_ROOT=$root EIS_PROGRAM=$build/eis timeout 900 npm test
