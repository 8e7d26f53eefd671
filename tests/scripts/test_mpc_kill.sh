#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whoever is killed in the middle of a text: the text ends with an error that names who went, it told nothing wrong, and
# nobody is left behind. A session is never resumed, since shares and seeds were in memory alone: no randomness is used
# twice. A process that stands still ends the session after net.round_ms.
. "$(dirname "$0")/../support/cli.sh"
"$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 200 >"$scratch/right" || fail "plain"

children() { pgrep -P "$client" -f "serve $1 --embedded"; }

start() { # FLAGS...
    rm -f "$scratch/pipe"
    mkfifo "$scratch/pipe"
    "$eis" generate --engine mpc --parties 3 --model "$stories" --prompt "Once upon a time" --greedy --max-tokens 200 "$@" \
        >"$scratch/pipe" 2>"$scratch/err" &
    client=$!
    pids+=("$client")
    exec 3<"$scratch/pipe"
    head -c 40 <&3 >"$scratch/text" # the prompt, and a few tokens
    dealer=$(children triples)
    coordinator=$(children coordinator)
    mapfile -t party < <(children party | sort -n)
    [ ${#party[@]} -eq 3 ] && [ -n "$dealer" ] && [ -n "$coordinator" ] || fail "processes: ${party[*]}, $dealer and $coordinator; $(cat "$scratch/err")"
}

# The client ends within the time, everybody with it.
ended() { # EXIT_CODE PATTERN WHO
    local began=$SECONDS rc=0
    cat <&3 >>"$scratch/text"
    exec 3<&-
    wait "$client" || rc=$?
    [ $((SECONDS - began)) -le 60 ] || fail "$3: it took $((SECONDS - began)) s"
    [ "$rc" -eq "$1" ] || fail "$3: exit code $rc, not $1: $(cat "$scratch/err")"
    grep -qE "$2" "$scratch/err" || fail "$3: stderr says: $(cat "$scratch/err")"
    head -c "$(stat -c %s "$scratch/text")" "$scratch/right" | cmp -s - "$scratch/text" || fail "$3: a wrong text: $(cat "$scratch/text")"
    all_gone "$3"
}

all_gone() { # WHO
    local pid
    for pid in "$dealer" "$coordinator" "${party[@]}"; do
        for _ in $(seq 600); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
        kill -0 "$pid" 2>/dev/null && fail "$1: process $pid is left"
    done
    true
}

for i in 0 1 2; do
    start
    kill -9 "${party[i]}"
    ended 4 "party $i .*process ${party[i]}.* ended in the middle" "party $i"
done
start
kill -9 "$dealer"
ended 4 "Triple Service .*process $dealer.* ended in the middle" "Triple Service"

start
kill -9 "$coordinator"
ended 4 "coordinator .*process $coordinator.* ended in the middle" "coordinator"

start
kill -9 "$client"
cat <&3 >/dev/null
exec 3<&-
all_gone "the owner"

for i in 0 2; do
    start --set net.round_ms=4000
    kill -STOP "${party[i]}"
    ended 4 "party [0-2]: " "party $i stands still"
done

# nobody but the client can notice that the coordinator stands still
start
kill -STOP "$coordinator"
ended 4 'keepalive|UNAVAILABLE' "the coordinator stands still"

# Ctrl-C is an end in order
start
kill -INT "$client"
ended 130 'interrupted' "interrupted"
echo ok
