#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Triple Service that stands still for a while: the text waits, says so, and goes on as if nothing had been; one that
# stands still for longer than triple_pool.wait_ms ends the text between two tokens, with an error that may be retried.
. "$(dirname "$0")/../support/cli.sh"
"$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 60 >"$scratch/right" || fail "plain"

start() { # FLAGS...
    rm -f "$scratch/pipe"
    mkfifo "$scratch/pipe"
    "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt "Once upon a time" --greedy --max-tokens 60 \
        --set triple_pool.min_size=1 --set triple_pool.target=1 "$@" >"$scratch/pipe" 2>"$scratch/err" &
    client=$!
    pids+=("$client")
    exec 3<"$scratch/pipe"
    head -c 30 <&3 >"$scratch/text" # the prompt, and a few tokens
    dealer=$(pgrep -P "$client" -f "serve triples --embedded")
    [ -n "$dealer" ] || fail "no Triple Service: $(cat "$scratch/err")"
    kill -STOP "$dealer"
}
finish() {
    cat <&3 >>"$scratch/text"
    exec 3<&-
    rc=0
    wait "$client" || rc=$?
}

start
sleep 4
kill -CONT "$dealer"
finish
[ "$rc" -eq 0 ] || fail "exit code $rc: $(cat "$scratch/err")"
cmp -s "$scratch/right" "$scratch/text" || fail "another text: $(cat "$scratch/text")"
grep -qE 'waiting for preprocessing: step [0-9]+, have [0-9]+' "$scratch/err" || fail "nobody says that a step waits: $(cat "$scratch/err")"

start --set triple_pool.wait_ms=4000 # a busy machine deals a unit in less
finish
kill -CONT "$dealer" 2>/dev/null
[ "$rc" -eq 6 ] || fail "exit code $rc, not 6: $(cat "$scratch/err")"
grep -q 'triple_pool.wait_ms' "$scratch/err" || fail "stderr says: $(cat "$scratch/err")"
head -c "$(stat -c %s "$scratch/text")" "$scratch/right" | cmp -s - "$scratch/text" || fail "a wrong text: $(cat "$scratch/text")"
echo ok
