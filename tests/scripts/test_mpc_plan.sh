#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `eis plan --engine mpc` predicts is what processes count, to the byte: rounds, bytes between parties, words of
# material. A tunable that shapes graphs changes both.
. "$(dirname "$0")/../support/cli.sh"

counted() { # TOKENS FLAGS...
    local tokens=$1; shift
    "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 5 --greedy --max-tokens "$tokens" --json "$@" 2>"$scratch/err" |
        tail -n 1 >"$scratch/report.$tokens" || fail "$(cat "$scratch/err")"
}
compare() { # FLAGS...
    counted 2 "$@"
    counted 3 "$@"
    "$eis" plan --engine mpc --parties 2 --model "$stories" --context 3 --json "$@" >"$scratch/plan" 2>"$scratch/err" || fail "plan: $(cat "$scratch/err")"
    python3 - "$scratch" <<'PY' || fail "plan and report differ with $*"
import json, sys
two, three, plan = (json.load(open(f"{sys.argv[1]}/{name}")) for name in ("report.2", "report.3", "plan"))
last = lambda r: r["report"]["parties"][1]
total = plan["total"]
for member, name in (("rounds", "rounds"), ("bytes_to_each_peer", "bytes_to_each_peer"), ("unit_words", "correction_words")):
    counted = last(three)[member] - last(two)[member]
    assert counted == total[name], (member, counted, total[name])
assert sum(row["rounds"] for row in plan["layers"]) == total["rounds"] and len(plan["layers"]) == 11
PY
}
compare
rounds() { "$eis" plan --engine mpc --model "$stories" --json "$@" | python3 -c 'import json, sys; print(json.load(sys.stdin)["total"]["rounds"])'; }
material() { "$eis" plan --engine mpc --model "$stories" --json "$@" | python3 -c 'import json, sys; print(json.load(sys.stdin)["total"]["correction_words"])'; }
[ "$(rounds --set cheby.deg=13)" -eq $(($(rounds) + 8)) ] || fail "a degree above 11 costs 2 rounds in each of 4 softmaxes"
[ "$(material --set spline.per_octave=2)" -lt "$(material)" ] || fail "fewer lines are less material"
printf 'cheby:\n  deg: 13\n' >"$scratch/settings.yaml"
[ "$(rounds --config "$scratch/settings.yaml")" -eq "$(rounds --set cheby.deg=13)" ] || fail "a file and --set differ"
[ "$(rounds --config "$scratch/settings.yaml" --set cheby.deg=11)" -eq "$(rounds)" ] || fail "--set wins over the file"
compare --set cheby.deg=13 --set newton.steps=2

# settings that are none
expect 2 'cheby.deg takes a whole number from 5 to 15' "$eis" plan --engine mpc --model "$stories" --set cheby.deg=99
expect 2 'no setting "cheby.degree"' "$eis" plan --engine mpc --model "$stories" --set cheby.degree=9
expect 2 'KEY=VALUE' "$eis" plan --engine mpc --model "$stories" --set cheby.deg
printf 'cheby:\n  deg: 9\n  degree: 9\n' >"$scratch/bad.yaml"
expect 3 'bad.yaml: Unexpected key: degree.*line: [23], column' "$eis" plan --engine mpc --model "$stories" --config "$scratch/bad.yaml"
printf 'cheby: [\n' >"$scratch/bad.yaml"
expect 3 'bad.yaml.*line: 1' "$eis" plan --engine mpc --model "$stories" --config "$scratch/bad.yaml"
printf 'cheby:\n  deg: 4\n' >"$scratch/bad.yaml"
expect 2 'bad.yaml: cheby.deg takes' "$eis" plan --engine mpc --model "$stories" --config "$scratch/bad.yaml"
: >"$scratch/empty.yaml"
[ "$(rounds --config "$scratch/empty.yaml")" -eq "$(rounds)" ] || fail "an empty file changes nothing"
expect 3 'nowhere' "$eis" plan --engine mpc --model "$stories" --config "$scratch/nowhere"
expect 2 'go with --engine mpc' "$eis" plan --model "$stories" --context 3
expect 3 'language models' "$eis" plan --engine mpc --model "$digits"

# the list of settings in the documents is that of the program, and is a file that it takes
"$eis" serve party --settings >"$scratch/settings.yaml" || fail "--settings"
awk '/^```$/ { on = 0 } on; /^```yaml$/ { on = 1 }' docs/mpc-settings.md | cmp - "$scratch/settings.yaml" || fail "docs/mpc-settings.md is not what the program says"
[ "$(rounds --config "$scratch/settings.yaml")" -eq "$(rounds)" ] || fail "the defaults as a file change something"
echo ok
