#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An audit that cannot fail is worth nothing: it must pass ring shares, fail a bias of one bit in 64 words, and show that
# the original's float shares hand over the input.
. "$(dirname "$0")/../support/cli.sh"

for flags in "" "--shares 3" "--shares 3 --threshold 2" "--profile p8" "--prefetch 30" "--verify"; do
    # shellcheck disable=SC2086
    expect 0 '' "$eis" audit --model "$stories" --prompt "Once upon a time" $flags
    grep -q FAIL "$scratch/out" && fail "$flags: $(cat "$scratch/out")"
    [ "$(grep -c PASS "$scratch/out")" -ge 2 ] || fail "$flags: $(cat "$scratch/out")"
    # shellcheck disable=SC2086
    expect 1 'does not look uniform' "$eis" audit --model "$stories" --prompt "Once upon a time" $flags --plant-bias
    [ "$(grep -c FAIL "$scratch/out")" -eq 1 ] || fail "$flags: the planted bias: $(cat "$scratch/out")"
done
expect 0 '' "$eis" audit --model "$digits" --input "$digits/samples/5.pgm" --json
python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
assert r["passed"] is True and len(r["servers"]) == 2
assert all(s["p"] > 1e-6 and s["words"] >= 4096 and abs(s["correlation"]) < 0.2 for s in r["servers"])' "$scratch/out" || fail "--json"
expect 1 '' "$eis" audit --model "$digits" --input "$digits/samples/5.pgm" --plant-bias
expect 0 '' "$eis" audit --max-tokens 2

expect 0 'last server can estimate' "$eis" audit --legacy-float
grep -q LEAKS "$scratch/out" || fail "--legacy-float does not say that it leaks"
expect 0 '' "$eis" audit --legacy-float --json
python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
points = r["last_server"]
assert r["leaks"] is True and r["answer_error"] < 1e-5
assert points[-1]["requests"] == 256 and points[-1]["correlation"] > 0.99 and points[-1]["relative_error"] < 0.1' "$scratch/out" || fail "the input was not recovered"
expect 2 'takes no model' "$eis" audit --legacy-float --model "$stories"
echo ok
