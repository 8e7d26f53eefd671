#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Classes by processes that trust nobody: those of the plain engine, and nothing else than classes comes out.
. "$(dirname "$0")/../support/cli.sh"
. "$(dirname "$0")/../support/mpc_hosts.sh"

# five digits; two of them among three parties
for d in 0 2 4 6 9; do
    parties=$((d == 4 || d == 9 ? 3 : 2))
    expect 0 '' "$eis" classify --engine mpc --parties "$parties" --model "$digits" --input "$digits/samples/$d.pgm"
    [ "$(cat "$scratch/out")" = "$(printf '0\t%s' "$d")" ] || fail "digit $d of $parties parties: $(cat "$scratch/out")"
done

# many inputs in one session, with labels; the same lines as in plain
cat >"$scratch/x.csv" <<'CSV'
5,1,1,1,2,1,3,1,1
8,10,10,8,7,10,9,7,1
1,1,1,1,2,10,3,1,1
10,7,7,6,4,10,4,1,2
4,1,1,1,2,1,2,1,1
CSV
"$eis" classify --model "$root/models/breast-cancer" --input "$scratch/x.csv" >"$scratch/plain" 2>"$scratch/err" || fail "$(cat "$scratch/err")"
cut -f2 "$scratch/plain" >"$scratch/labels.txt"
expect 0 'accuracy: 5 of 5' "$eis" classify --engine mpc --parties 2 --model "$root/models/breast-cancer" --input "$scratch/x.csv" --labels "$scratch/labels.txt" --report
cmp -s "$scratch/plain" "$scratch/out" || fail "other classes: $(cat "$scratch/out")"
grep -q 'a step (5 of them)' "$scratch/err" || fail "report: $(cat "$scratch/err")"

# JSON: a class, no logits, and what was counted
expect 0 '' "$eis" classify --engine mpc --parties 2 --model "$root/models/breast-cancer" --input "$scratch/x.csv" --limit 2 --json
python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
report = rows[-1]["report"]
assert len(rows) == 3 and rows[-1]["done"] and rows[-1]["count"] == 2, rows
assert all(r["index"] == i and r["logits"] is None for i, r in enumerate(rows[:-1])), rows
assert report["engine"] == "mpc" and report["steps"] == 2 and len(report["parties"]) == 2
assert all(p["rounds"] > 10 and p["input_words"] > 18 for p in report["parties"])' "$scratch/out" || fail "JSON: $(cat "$scratch/out")"

# processes that others run: a coordinator with two classifiers, and the session that was agreed on
cancer=$root/models/breast-cancer
start dealer triples; dealer=$address
start a party; a=$address
start b party; b=$address
agree "$scratch/cancer.session" --model "cancer=$cancer"
agree "$scratch/digits.session" --model "digits=$digits"
agree "$scratch/other.session" --model "cancer=$cancer" --set cheby.deg=9
start coordinator coordinator --session "$scratch/cancer.session" --session "$scratch/digits.session" --set scheduler.max_context=2; coordinator=$address
us=(--engine mpc --coordinator "$coordinator" --ca "$scratch/ca/ca.crt" --cert "$scratch/owner.crt" --key "$scratch/owner.key")
expect 0 'accuracy: 5 of 5' "$eis" classify "${us[@]}" --session "$scratch/cancer.session" --model "$cancer" --input "$scratch/x.csv" --labels "$scratch/labels.txt"
cmp -s "$scratch/plain" "$scratch/out" || fail "other classes from others: $(cat "$scratch/out")"
expect 0 '' "$eis" classify "${us[@]}" --session "$scratch/digits.session" --model "$digits" --input "$digits/samples/7.pgm" --json
head -n 1 "$scratch/out" | grep -q '"label":"7"' || fail "digit 7: $(cat "$scratch/out")"
expect 5 'another session than the one that was agreed on' "$eis" classify "${us[@]}" --session "$scratch/other.session" --model "$cancer" --input "$scratch/x.csv"
expect 5 'another session than the one that was agreed on' "$eis" classify "${us[@]}" --session "$scratch/cancer.session" --model "$digits" --input "$digits/samples/7.pgm"
expect 2 'another owner of prompts' "$eis" classify --engine mpc --coordinator "$coordinator" --ca "$scratch/ca/ca.crt" --cert "$scratch/stranger.crt" --key "$scratch/stranger.key" \
    --session "$scratch/cancer.session" --model "$cancer" --input "$scratch/x.csv"
expect 2 'go together' "$eis" classify "${us[@]}" --model "$cancer" --input "$scratch/x.csv"
expect 2 'is a classifier' "$eis" serve coordinator --session "$scratch/cancer.session" --tokenizer "$stories" --listen 127.0.0.1:0 \
    --tls-cert "$scratch/coordinator.crt" --tls-key "$scratch/coordinator.key" --client-ca "$scratch/ca/ca.crt"

# what it does not take
echo '1e9,1,1,1,1,1,1,1,1' >"$scratch/far.csv"
"$eis" classify --engine mpc --parties 2 --model "$root/models/breast-cancer" --input "$scratch/far.csv" >"$scratch/out" 2>"$scratch/err" && fail "an input of 1e9 was taken"
[ ! -s "$scratch/out" ] && grep -q 'further than' "$scratch/err" || fail "far: $(cat "$scratch/err")"
expect 2 'go with --engine mpc' "$eis" classify --parties 2 --model "$digits" --input "$digits/samples/0.pgm"
pgrep -f "$eis serve (party|triples|coordinator) --embedded" >/dev/null && fail "a child is left"
echo ok
