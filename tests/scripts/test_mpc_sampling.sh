#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Texts that processes draw: flags over settings, what the reports say of it, and what cannot be had among parties.
. "$(dirname "$0")/../support/cli.sh"

ask() { # FILE FLAGS...
    local file=$1; shift
    timeout 300 "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 0,77 --max-tokens 10 "$@" >"$scratch/$file" 2>"$scratch/err" </dev/null ||
        fail "$*: $(cat "$scratch/err")"
}
sampling() { tail -n 1 "$scratch/$1" | python3 -c 'import json, sys; s = json.load(sys.stdin)["report"]["sampling"]; print(s["topk"], s["temperature"])'; }
ids() { tail -n 1 "$scratch/$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["ids"])'; }

"$eis" generate --model "$stories" --prompt-ids 0,77 --max-tokens 10 --json >"$scratch/plain" || fail plain
ask greedy --greedy --json
[ "$(ids greedy)" = "$(ids plain)" ] && [ "$(sampling greedy)" = "1 0" ] || fail "greedy: $(sampling greedy) $(ids greedy)"

# one of those flags draws, and the setting says the other half
ask drawn --temperature 8 --json
[ "$(sampling drawn)" = "3 8" ] || fail "topk is 3: $(sampling drawn)"
ask drawn --top-k 40 --set temperature=12 --json
[ "$(sampling drawn)" = "40 12" ] || fail "temperature: $(sampling drawn)"
ask again --top-k 40 --set temperature=12 --json
[ "$(ids drawn)" != "$(ids again)" ] || fail "two texts at temperature 12 are the same: $(ids again)"
[ "$(ids drawn)" != "$(ids plain)" ] || fail "at temperature 12 the likeliest text comes out"
ask cold --temperature 8 --set topk=1 --json
[ "$(sampling cold)" = "1 0" ] && [ "$(ids cold)" = "$(ids plain)" ] || fail "topk 1 is greedy: $(ids cold)"
printf 'topk: 7\ntemperature: 2.5\n' >"$scratch/settings.yaml"
ask drawn --top-k 5 --config "$scratch/settings.yaml" --report
grep -q 'tokens: drawn among the 5 likeliest at temperature 2.5' "$scratch/err" || fail "report: $(cat "$scratch/err")"
ask drawn --print-ids --report
grep -q 'tokens: the likeliest ones' "$scratch/err" || fail "report: $(cat "$scratch/err")"

no() { expect "$1" "$2" "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 1 --max-tokens 1 "${@:3}"; }
no 2 '--seed does not go with --engine mpc: ' --top-k 3 --seed 1
no 2 '--top-p does not go with --engine mpc: ' --top-p 0.9
no 2 'temperature must be a number above 0' --temperature 0
no 3 'temperature is 0.01, not 0 or 0.05 to 16' --temperature 0.01
no 3 'topk is 65, not 1 to 64' --top-k 65
no 2 'topk takes a whole number from 1 to 64' --set topk=0
no 2 'temperature takes a number from 0.05 to 16' --set temperature=20
no 2 'greedy goes with no sampling flag' --greedy --top-k 3
echo ok
