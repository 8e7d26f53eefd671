#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two of three servers are enough, whatever happens to the third in the middle of a text: killed, or stopped for good
# without a word. A text that broke off, or changed, would make the spare server worth nothing.
. "$(dirname "$0")/../support/cli.sh"
if [ -d "$data/lm" ]; then
    model=(--model "$data/lm/stories260K/stories260K.bin" --tokenizer "$data/lm/stories260K/tok512.bin" --prompt "" --max-tokens 200)
    cp "$data/lm/stories260K/golden_greedy_200steps.txt" "$scratch/golden"
    served=m=$data/lm/stories260K/stories260K.bin
else
    model=(--model "$stories" --prompt "Once upon a time" --max-tokens 200)
    "$eis" generate "${model[@]}" >"$scratch/golden" || fail "plain"
    served=m=$stories
fi
make_papers 3

run() { # SIGNAL: sends it to the second server once a third of the text is there
    start_servers 3 --model "$served" --profile f61
    rm -f "$scratch/pipe"
    mkfifo "$scratch/pipe"
    "$eis" generate --engine split --threshold 2 "${model[@]}" --greedy --servers "$servers" --ca "$scratch/ca/ca.crt" --timeout 5000 \
        --report >"$scratch/pipe" 2>"$scratch/report" &
    local client=$! victim=${server_pids[1]}
    { head -c 150; kill "-$1" "$victim"; cat; } <"$scratch/pipe" >"$scratch/text"
    wait "$client" || fail "$1: $(cat "$scratch/report")"
    cmp "$scratch/golden" "$scratch/text" || fail "$1: another text"
    if [ "$1" = KILL ]; then grep -q 'lost' "$scratch/report" || fail "$1: the report does not say that a server is gone: $(cat "$scratch/report")"; fi
    kill -9 "$victim" 2>/dev/null
    stop_server "${server_pids[0]}"
    stop_server "${server_pids[2]}"
}
run KILL
run STOP

# without a spare it is an error that names the server, and no hanging
start_servers 2 --model "$served" --profile f61
kill -9 "${server_pids[1]}"
expect 4 "${stream##*:}" "$eis" generate --engine split --profile f61 "${model[@]}" --greedy --servers "$servers" --ca "$scratch/ca/ca.crt" --timeout 3000
echo ok
