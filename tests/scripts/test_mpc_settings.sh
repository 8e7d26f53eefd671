#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Settings that decide whether a model may run: where bounds come from, how softmax finds its maximum. What is refused is
# refused by the plan and before any process starts, in the same words; what is dubious is said.
. "$(dirname "$0")/../support/cli.sh"
square=$root/models/digits-square
plan() { "$eis" plan --engine mpc --model "$stories" "$@" 2>&1; }
total() { "$eis" plan --engine mpc --model "$stories" --json "$@" | python3 -c 'import json, sys; p = json.load(sys.stdin); print(p["total"]["correction_words"], p["total"]["rounds"], p["declared_bounds"])'; }
generate() { "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 1 --max-tokens 1 "$@"; }
classify() { "$eis" classify --engine mpc --parties 2 --model "$1" --input "$digits/samples/4.pgm" "${@:2}"; }

# the largest errors are printed at start, and not where nobody wants them
expect 0 '^errors at most: exp 1.3e-03, SiLU 2.8e-03, 1/x [0-9.e-]+ relative, 1/sqrt\(x\) [0-9.e-]+ relative$' generate
grep -q warning "$scratch/err" && fail "a warning with the defaults: $(cat "$scratch/err")"
expect 0 '' generate --quiet
grep -q 'errors at most' "$scratch/err" && fail "--quiet"
expect 0 '' generate --json
grep -q 'errors at most' "$scratch/err" && fail "--json"
tail -n 1 "$scratch/out" | python3 -c 'import json, sys
r = json.load(sys.stdin)["report"]
e = r["errors_at_most"]
assert 1e-3 < e["exp"] < 2e-3 and e["exp_fit"] < 3e-5 and 2e-3 < e["activation"] < 4e-3 and 0 < e["reciprocal"] < 1e-3 and 0 < e["root"] < 1e-3, e
assert r["declared_bounds"] == "", r' || fail "JSON: $(tail -n 1 "$scratch/out")"
expect 0 'warning: the polynomial for exp is off by up to 4.0e-03.*raise cheby.deg' generate --set cheby.deg=7

# softmax.max: another graph, and scores that are too large for it; plan and run say the same
expect 3 'softmax.max static' "$eis" plan --engine mpc --model "$stories" --set softmax.max=static
plan --set softmax.max=static >"$scratch/planned"
generate --set softmax.max=static 2>"$scratch/run" >/dev/null && fail "scores of any size with a static maximum"
cmp -s "$scratch/planned" "$scratch/run" || fail "plan says $(cat "$scratch/planned"), generate says $(cat "$scratch/run")"
grep -q 'block 0 attention: softmax.max static: scores may be as large as [0-9.]*, and no more than 2.7' "$scratch/run" || fail "$(cat "$scratch/run")"
if [ -d "$data/lm/tiny-random-gpt2" ]; then
    rounds() { "$eis" plan --engine mpc --model "$data/lm/tiny-random-gpt2" --context 16 --json "$@" | python3 -c 'import json, sys; print(json.load(sys.stdin)["total"]["rounds"])'; }
    [ "$(rounds --set softmax.max=static)" -lt "$(rounds --set softmax.max=tournament)" ] || fail "a static maximum costs as many rounds"
fi

# bounds of a classifier: theorems, theorems where they fit, what it declares
expect 3 'range.policy static: the largest logit, a maximum needs 58.7 bits and has 58.0; lower fixed_point.scale_bits' classify "$square" --set range.policy=static
expect 0 'warning: bounds that the model.s owner declares.*hold for .*step 5 \(linear\)' classify "$square"
[ "$(cat "$scratch/out")" = "$(printf '0\t4')" ] || fail "with declared bounds: $(cat "$scratch/out")"
many=$(grep -o 'step [0-9]' "$scratch/err" | wc -l)
expect 0 'warning: bounds' classify "$square" --set range.margin=1000
[ "$(grep -o 'step [0-9]' "$scratch/err" | wc -l)" -lt "$many" ] || fail "a margin of 1000 leaves as much to declared bounds: $(cat "$scratch/err")"
expect 0 '' classify "$digits"
grep -q warning "$scratch/err" && fail "declared bounds where theorems fit: $(cat "$scratch/err")"
expect 0 'warning: bounds' classify "$digits" --set range.policy=calibrated

# bounds of a language model
theorems=$(total)
[ "$(total --set range.residual=40)" = "$theorems" ] || fail "what fits needs no declared bound"
[ "$(total --set range.residual=40 --set range.policy=static)" = "$theorems" ] || fail "static takes theorems alone"
declared=$(total --set range.residual=40 --set range.policy=calibrated)
[ "${declared%% *}" -lt "${theorems%% *}" ] && [[ $declared == *"block 3 mlp"* ]] || fail "a declared bound: $declared, and without it $theorems"
wider=$(total --set range.residual=40 --set range.policy=calibrated --set range.margin=100)
[ "${wider%% *}" -gt "${declared%% *}" ] || fail "margin: $wider and $declared"
expect 0 'warning: bounds.*hold for block 0 attention' generate --set range.residual=40 --set range.policy=calibrated

# whole ranges: every fraction there is has room for this model
for bits in 12 20; do plan --set fixed_point.scale_bits=$bits >/dev/null || fail "$bits bits: $(plan --set fixed_point.scale_bits=$bits)"; done
for bits in 4 5; do
    words=$(total --set compare.digit_bits=$bits)
    [ "${words%% *}" -lt "${theorems%% *}" ] || fail "digits of $bits bits need as much material"
done

# what is a later stage is said to be one
expect 2 'compare.engine takes digits; dcf: keys for two parties are a later stage' "$eis" plan --engine mpc --model "$stories" --set compare.engine=dcf
expect 2 'exp.method takes cheby; lut: tables for two parties are a later stage' "$eis" plan --engine mpc --model "$stories" --set exp.method=lut
expect 2 'softmax.max takes tournament or static, not "largest"' "$eis" plan --engine mpc --model "$stories" --set softmax.max=largest
expect 2 'act.deg takes 0 or a whole number from 5 to 15, not "3"' "$eis" plan --engine mpc --model "$stories" --set act.deg=3
expect 2 'compare.digit_bits takes 0 or a whole number from 4 to 7, not "2"' "$eis" plan --engine mpc --model "$stories" --set compare.digit_bits=2
echo ok
