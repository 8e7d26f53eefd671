#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sacrifice.level, prompt.check, check.max_pending: tests and checks cost material and rounds, and change no token. What a
# session leaves untested is said at start.
. "$(dirname "$0")/../support/cli.sh"

generate() { # NAME FLAGS...
    local name=$1; shift
    "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 5 --greedy --max-tokens 3 --json "$@" 2>"$scratch/err" \
        >"$scratch/$name" || fail "$(cat "$scratch/err")"
}
generate trusted --set sacrifice.level=0
generate unchecked --set sacrifice.level=0 --set prompt.check=off
generate tested --set sacrifice.level=1
generate whole --set sacrifice.level=2
generate auto
generate often --set check.max_pending=1000
python3 - "$scratch" <<'PY' || fail "tests change tokens, or cost nothing"
import json, sys
names = ("trusted", "unchecked", "tested", "whole", "auto", "often")
run = {name: [json.loads(line) for line in open(f"{sys.argv[1]}/{name}")][-1] for name in names}
ids = {name: r["ids"] for name, r in run.items()}
words = {name: r["report"]["parties"][1]["unit_words"] for name, r in run.items()}
rounds = {name: r["report"]["parties"][0]["rounds"] for name, r in run.items()}
assert all(i == ids["trusted"] and len(i) == 4 for i in ids.values()), ids
assert words["unchecked"] < words["trusted"] == words["auto"] == words["often"] < words["tested"], words
assert words["tested"] > 1.02 * words["trusted"] and words["whole"] > 2 * words["tested"], words
assert rounds["unchecked"] < rounds["trusted"] < rounds["tested"] == rounds["whole"], rounds
assert rounds["often"] > rounds["trusted"] + 30 and (rounds["often"] - rounds["trusted"]) % 3 == 0, rounds
PY
said() { # TEXT FLAGS...
    local text=$1; shift
    expect 0 "$text" "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 5 --greedy --max-tokens 1 "$@"
}
said 'sacrifice.level 0: the Triple Service is trusted to deal right'
said 'sacrifice.level 1: digits and parts of truncations are taken as the Triple Service deals them' --set sacrifice.level=1
said 'prompt.check off: a prompt may be a mixture of tokens' --set prompt.check=off --set sacrifice.level=2
grep -q 'sacrifice.level' "$scratch/err" && fail "level 2 leaves nothing open: $(cat "$scratch/err")"
expect 2 'sacrifice.level takes auto, 0, 1 or 2' "$eis" plan --engine mpc --model "$stories" --set sacrifice.level=3
echo ok
