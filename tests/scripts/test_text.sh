#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A file without a licence line cannot be used by those whose lawyers read; a citation without an entry proves nothing.
root=${EIS_TEST_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
git -C "$root" rev-parse >/dev/null 2>&1 || { echo "SKIP: not a git checkout"; exit 77; }
exec python3 "$root/tools/check_text.py"
