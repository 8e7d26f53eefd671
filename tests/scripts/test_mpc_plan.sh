#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `eis plan --engine mpc` predicts is what processes count, to the byte: rounds, bytes between parties, words of
# material. A tunable that shapes graphs changes both.
. "$(dirname "$0")/../support/cli.sh"

counted() { # TOKENS FLAGS...
    local tokens=$1; shift
    "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 5 --max-tokens "$tokens" --json "$@" 2>"$scratch/err" |
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
# layer by layer, too; and what the graphs say is what the links have counted
assert all(r["report"]["layers_at_the_links"]["same"] for r in (two, three))
rows = {row["name"]: row for row in two["report"]["layers"]}
for planned, row in zip(plan["layers"][:-1], three["report"]["layers"], strict=True):
    assert planned["name"] == row["name"], (planned["name"], row["name"])
    for member in ("rounds", "words_opened", "bytes_to_each_peer", "correction_words"):
        assert row[member] - rows[row["name"]][member] == planned[member], (row["name"], member)
assert sum(row["rounds"] for row in plan["layers"]) == total["rounds"] and len(plan["layers"]) == 11
PY
}
compare

# a prompt: one step, or several where a unit may weigh little
prompt() { # STEPS FLAGS...
    local steps=$1; shift
    "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 5,9,77,1,300,12,4 --greedy --max-tokens 1 --json "$@" 2>"$scratch/err" |
        tail -n 1 >"$scratch/report" || fail "$(cat "$scratch/err")"
    "$eis" plan --engine mpc --parties 2 --model "$stories" --prompt-tokens 7 --json "$@" >"$scratch/plan" 2>"$scratch/err" || fail "plan: $(cat "$scratch/err")"
    python3 - "$scratch" "$steps" <<'PY' || fail "plan and report of a prompt differ with $*"
import json, sys
report, plan = (json.load(open(f"{sys.argv[1]}/{name}")) for name in ("report", "plan"))
report, total = report["report"], plan["total"]
last = report["parties"][1]
assert report["prompt_tokens"] == 7 and report["prompt_steps"] == report["steps"] == len(plan["layers"]) == int(sys.argv[2]), report
assert last["rounds"] - report["load_rounds"] == total["rounds"], (last, total)
assert last["bytes_to_each_peer"] - report["load_bytes_to_each_peer"] == total["bytes_to_each_peer"], (last, total)
assert last["unit_words"] - report["load_unit_words"] == total["correction_words"], (last, total)
assert 0 < report["first_token_ms"] < 60000
PY
}
prompt 1
prompt 1 --set scheduler.pad_bucket=8
prompt 1 --set sacrifice.level=1 --set check.max_pending=100000
prompt 1 --set prompt.check=off
prompt 7 --set scheduler.prefill_mib=1
prompt 8 --set scheduler.prefill_mib=1 --set scheduler.pad_bucket=8

rounds() { "$eis" plan --engine mpc --model "$stories" --json "$@" | python3 -c 'import json, sys; print(json.load(sys.stdin)["total"]["rounds"])'; }
material() { "$eis" plan --engine mpc --model "$stories" --json "$@" | python3 -c 'import json, sys; print(json.load(sys.stdin)["total"]["correction_words"])'; }
[ "$(rounds --set cheby.deg=13)" -eq $(($(rounds) + 8)) ] || fail "a degree above 11 costs 2 rounds in each of 4 softmaxes"
[ "$(material --set spline.per_octave=2)" -lt "$(material)" ] || fail "fewer lines are less material"
printf 'cheby:\n  deg: 13\n' >"$scratch/settings.yaml"
[ "$(rounds --config "$scratch/settings.yaml")" -eq "$(rounds --set cheby.deg=13)" ] || fail "a file and --set differ"
[ "$(rounds --config "$scratch/settings.yaml" --set cheby.deg=11)" -eq "$(rounds)" ] || fail "--set wins over the file"
compare --set cheby.deg=13 --set newton.steps=2
compare --temperature 2 --top-k 5
[ "$(rounds --top-k 5)" -eq "$(rounds --temperature 3 --set topk=5)" ] || fail "--top-k and the setting topk differ"
[ "$(rounds --top-k 5)" -gt "$(($(rounds) + 2))" ] && [ "$(rounds --top-k 9)" -gt "$(rounds --top-k 3)" ] || fail "a draw costs rounds, a longer list more"
[ "$(rounds --top-k 1)" -eq "$(rounds)" ] || fail "topk 1 is greedy"

# classifiers: an input more
for model in "$digits" "$root/models/breast-cancer"; do
    input=$digits/samples/3.pgm
    case "$model" in *cancer) input=$scratch/x.csv; printf '5,1,1,1,2,1,3,1,1\n8,10,10,8,7,10,9,7,1\n' >"$input" ;; esac
    "$eis" plan --engine mpc --parties 2 --model "$model" --json >"$scratch/plan" 2>"$scratch/err" || fail "plan: $(cat "$scratch/err")"
    "$eis" classify --engine mpc --parties 2 --model "$model" --input "$input" --json 2>"$scratch/err" | tail -n 1 >"$scratch/report" || fail "$(cat "$scratch/err")"
    python3 - "$scratch" <<'PY' || fail "plan and report differ for $model"
import json, sys
plan, report = (json.load(open(f"{sys.argv[1]}/{name}")) for name in ("plan", "report"))
total, report = plan["total"], report["report"]
for member, name in (("rounds_per_step", "rounds"), ("bytes_per_step_to_each_peer", "bytes_to_each_peer"), ("unit_words_per_step", "correction_words")):
    assert report[member] == total[name], (member, report[member], total[name])
steps = report["steps"]
assert report["layers_at_the_links"]["same"] and len(report["layers"]) == len(plan["layers"]) - 1
assert all(row["rounds"] == steps * planned["rounds"] and row["name"] == planned["name"] for row, planned in zip(report["layers"], plan["layers"]))
assert sum(row["rounds"] for row in plan["layers"]) == total["rounds"] and len(plan["layers"]) > 2
assert all(row["ms"][link] >= 0 for row in plan["layers"] for link in row["ms"]) and len(total["ms"]) == 3
PY
done
"$eis" plan --engine mpc --model "$digits" >"$scratch/plan" || fail "a table of a classifier"
grep -q 'One input of 3 parties' "$scratch/plan" && grep -q 'the largest logit' "$scratch/plan" || fail "table: $(cat "$scratch/plan")"
expect 2 'for language models' "$eis" plan --engine mpc --model "$digits" --context 3
expect 2 'for language models' "$eis" plan --engine mpc --model "$digits" --top-k 3
expect 2 'go with --engine mpc' "$eis" plan --model "$stories" --top-k 3
expect 3 'topk is 65' "$eis" plan --engine mpc --model "$stories" --top-k 65

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
expect 2 'not of both' "$eis" plan --engine mpc --model "$stories" --context 3 --prompt-tokens 3
expect 3 'positions' "$eis" plan --engine mpc --model "$stories" --set scheduler.max_context=16 --prompt-tokens 17
expect 3 'positions' "$eis" plan --engine mpc --model "$stories" --set scheduler.max_context=15 --set scheduler.pad_bucket=8 --prompt-tokens 9

# the list of settings in the documents is that of the program, and is a file that it takes
"$eis" serve party --settings >"$scratch/settings.yaml" || fail "--settings"
awk '/^```$/ { on = 0 } on; /^```yaml$/ { on = 1 }' docs/mpc-settings.md | cmp - "$scratch/settings.yaml" || fail "docs/mpc-settings.md is not what the program says"
[ "$(rounds --config "$scratch/settings.yaml")" -eq "$(rounds)" ] || fail "the defaults as a file change something"
echo ok
