#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sacrifice.level: the tests of what the Triple Service deals cost material and change no token.
. "$(dirname "$0")/../support/cli.sh"

generate() { # NAME FLAGS...
    local name=$1; shift
    "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 5 --greedy --max-tokens 3 --json "$@" 2>"$scratch/err" \
        >"$scratch/$name" || fail "$(cat "$scratch/err")"
}
generate trusted --set sacrifice.level=0
generate tested --set sacrifice.level=1
python3 - "$scratch" <<'PY' || fail "the tests change tokens, or cost nothing"
import json, sys
trusted, tested = ([json.loads(line) for line in open(f"{sys.argv[1]}/{name}")] for name in ("trusted", "tested"))
ids = lambda lines: lines[-1]["ids"]
words = lambda lines: lines[-1]["report"]["parties"][1]["unit_words"]
assert ids(trusted) == ids(tested) and len(ids(trusted)) == 4, (ids(trusted), ids(tested))
assert words(tested) > 1.05 * words(trusted), (words(tested), words(trusted))
PY
expect 2 'sacrifice.level takes a whole number from 0 to 2' "$eis" plan --engine mpc --model "$stories" --set sacrifice.level=3
echo ok
