#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The demo is what people see first: it must end well, within a minute, in plain characters, on its own servers and on
# named ones.
. "$(dirname "$0")/../support/cli.sh"

check() { # FLAGS...
    expect 0 '' "$eis" demo "$@"
    [ "$(grep -c '  equal: yes' "$scratch/out")" -eq 4 ] || fail "stories, digits or ciphertexts: $(cat "$scratch/out")"
    grep -q "three processes that do not trust each other" "$scratch/out" && grep -q "Triple Service (" "$scratch/out" || fail "no story among parties: $(cat "$scratch/out")"
    grep -q 'a process of its own' "$scratch/out" || fail "ciphertexts without a server of their own"
    grep -q 'evaluation keys (.*nothing that decrypts' "$scratch/out" || fail "what the server held is not said"
    grep -q 'argmax matches: yes' "$scratch/out" || fail "layer: $(cat "$scratch/out")"
    grep -q 'Once upon a time' "$scratch/out" || fail "no story"
    grep -q "$(printf '\033')" "$scratch/out" && fail "colours where there is no terminal"
    [ ! -s "$scratch/err" ] || fail "stderr: $(cat "$scratch/err")"
}
check
grep -q 'not protection' "$scratch/out" || fail "servers on one machine protect nothing, and the demo must say so"
check --shares 3 --threshold 2 --verify
(cd "$scratch" && "$eis" demo >/dev/null 2>&1) || [ ! -d "$build/../models" ] || fail "from another directory"
expect 3 'EIS_MODELS' env EIS_MODELS="$scratch" "$eis" demo || fail "EIS_MODELS"

make_papers 2
start_servers 2 --demo-layer --model "$stories" --model "$digits"
check --servers "$servers" --ca "$scratch/ca/ca.crt"
echo ok
