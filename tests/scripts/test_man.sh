#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A man page that names a flag which is gone sends its reader the wrong way: the pages must be what --help says now.
root=${EIS_TEST_ROOT:?} build=${EIS_TEST_BUILD:?}
[ -x "$build/eis" ] && [ -x "$build/eis-server" ] || { echo "SKIP: the programs are not built in $build"; exit 77; }
exec python3 "$root/tools/make_man.py" --check --eis "$build/eis" --server "$build/eis-server" --out "$root/docs/man"
