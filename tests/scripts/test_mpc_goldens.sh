#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The published greedy texts by processes that trust nobody: what they compute among themselves must be what the model
# says. The first 12 tokens here; test_mpc_goldens_long.sh takes all.
. "$(dirname "$0")/../support/cli.sh"
. "$root/tests/support/mpc_goldens.sh"
same_text 2 12 41
same_text 3 12 41
same_ids 2 0,0,0,52 0,0,0,52,204,204,204,204,204,204

# ids in, ids out; JSON with a report of what was counted
"$eis" generate --engine mpc --parties 2 "${stories_bin[@]}" --prompt "Once upon" --max-tokens 3 --json >"$scratch/lines" 2>"$scratch/err" || fail "--json: $(cat "$scratch/err")"
python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
report = rows[-1]["report"]
assert len(rows) == 4 and rows[-1]["done"] and rows[-1]["ids"][-3:] == [r["token"] for r in rows[:-1]]
assert report["engine"] == "mpc" and len(report["parties"]) == 2
assert all(p["rounds"] > 300 and p["bytes_to_each_peer"] > 100000 for p in report["parties"])
assert report["parties"][0]["unit_words"] == 0 and report["parties"][1]["unit_words"] == report["triple_service"]["unit_words"] > 1000000' \
    "$scratch/lines" || fail "report: $(cat "$scratch/lines")"
"$eis" generate --engine mpc --parties 2 --model "$stories" --prompt "Once upon a time" --max-tokens 6 >"$scratch/mpc" 2>"$scratch/err" || fail "$(cat "$scratch/err")"
"$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 6 | cmp - "$scratch/mpc" || fail "another story: $(cat "$scratch/mpc")"

# what it does not take
expect 2 'whole number from 2 to 8' "$eis" generate --engine mpc --parties 1 --model "$stories"
expect 2 'go with --engine mpc' "$eis" generate --parties 2 --model "$stories"
expect 2 'go with --engine split' "$eis" generate --engine mpc --shares 2 --model "$stories"
expect 3 'context' "$eis" generate --engine mpc --set scheduler.max_context=3 --model "$stories" --prompt-ids 1,2,3,4
pgrep -f "$eis serve (party|triples|coordinator) --embedded" >/dev/null && fail "a child is left"
echo ok
