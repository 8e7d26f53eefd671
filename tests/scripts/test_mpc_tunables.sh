#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every setting of the engine mpc does what it says. The list is the program's own: a key that has no function here
# fails, and so does a function whose key is gone. Names are those of the keys with '_' for '.'.
. "$(dirname "$0")/../support/cli.sh"
gpt2=$data/lm/tiny-random-gpt2

# ---- what the plan says ----
member() { python3 -c 'import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."): value = value[name]
print(value)' "$1"; }
plan() { "$eis" plan --engine mpc --model "$stories" --json "$@" 2>"$scratch/err" || fail "plan $*: $(cat "$scratch/err")"; }
of() { local what=$1; shift; plan "$@" | member "$what"; }
less() { python3 -c 'import sys; sys.exit(not float(sys.argv[1]) < float(sys.argv[2]))' "$1" "$2" || fail "$key: $3: $1 is not less than $2"; }
words=total.correction_words
rounds=total.rounds

effect_fixed_point_scale_bits() { less "$(of errors_at_most.activation --set $key=20)" "$(of errors_at_most.activation --set $key=12)" errors; }
effect_cheby_deg() {
    less "$(of errors_at_most.exp_fit --set $key=13)" "$(of errors_at_most.exp_fit --set $key=9)" errors
    [ "$(of $rounds --set $key=12)" -eq $(($(of $rounds) + 8)) ] || fail "$key: 2 rounds in each of 4 softmaxes"
}
effect_cheby_range() { less "$(of errors_at_most.exp_fit --set $key=8)" "$(of errors_at_most.exp_fit --set $key=16)" errors; }
effect_act_deg() {
    less "$(of errors_at_most.activation --set $key=11)" "$(of errors_at_most.activation --set $key=5)" errors
    less "$(of $rounds --set $key=11)" "$(of $rounds --set $key=13)" rounds
    [ "$(of errors_at_most --set $key=0)" = "$(of errors_at_most --set $key=11)" ] || fail "$key: 0 chooses 11"
}
effect_act_range() {
    less "$(of errors_at_most.activation --set $key=8)" "$(of errors_at_most.activation --set $key=4)" errors
    [ "$(of errors_at_most --set $key=0)" = "$(of errors_at_most --set $key=8)" ] || fail "$key: 0 chooses 8"
}
effect_spline_per_octave() {
    less "$(of errors_at_most.reciprocal --set $key=4)" "$(of errors_at_most.reciprocal --set $key=1)" errors
    less "$(of $words --set $key=2)" "$(of $words --set $key=4)" material
}
effect_newton_steps() {
    less "$(of errors_at_most.reciprocal --set spline.per_octave=1 --set $key=2)" "$(of errors_at_most.reciprocal --set spline.per_octave=1)" errors
    less "$(of $rounds)" "$(of $rounds --set $key=2)" rounds
}
effect_compare_digit_bits() {
    less "$(of $words --set $key=5)" "$(of $words --set $key=7)" material
    less "$(of total.words_opened --set $key=7)" "$(of total.words_opened --set $key=5)" "opened words"
}
effect_softmax_max() {
    if [ -d "$gpt2" ]; then
        less "$("$eis" plan --engine mpc --model "$gpt2" --context 16 --json --set $key=static | member $rounds)" \
            "$("$eis" plan --engine mpc --model "$gpt2" --context 16 --json --set $key=tournament | member $rounds)" rounds
    fi
    expect 3 'scores may be as large as' "$eis" plan --engine mpc --model "$stories" --set $key=static
}
declared=(--set range.residual=40 --set range.policy=calibrated)
effect_range_policy() {
    [ "$(of $words --set range.residual=40 --set $key=static)" -eq "$(of $words)" ] || fail "$key: static takes what is declared"
    less "$(of $words --set range.residual=40 --set $key=calibrated)" "$(of $words)" material
}
effect_range_margin() { less "$(of $words "${declared[@]}" --set $key=1)" "$(of $words "${declared[@]}" --set $key=100)" material; }
effect_range_residual() { less "$(of $words "${declared[@]}")" "$(of $words --set range.policy=calibrated)" material; }
only_one() { expect 2 "$key takes $1; $2: .* later stage" "$eis" plan --engine mpc --model "$stories" --set "$key=$2"; plan --set "$key=$1" >/dev/null; }
effect_exp_method() { only_one cheby lut; }
effect_compare_engine() { only_one digits dcf; }

# ---- what texts of three processes do ----
text() { timeout 300 "$eis" generate --engine mpc --parties 2 --model "$stories" --max-tokens 1 --json "$@" 2>"$scratch/err" | tail -n 1 || fail "$*: $(cat "$scratch/err")"; }
last() { python3 -c 'import json, sys; print(json.load(sys.stdin)["report"]["parties"][1][sys.argv[1]])' "$1"; }
effect_scheduler_max_context() {
    [ "$("$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 1,2,3 --max-tokens 9 --print-ids --set $key=5 2>/dev/null | tr ',' '\n' | wc -l)" -eq 6 ] ||
        fail "$key: 3 tokens, and those behind positions 3 to 5"
    expect 3 'the prompt has 6 tokens and the model.s context 5' "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 1,2,3,4,5,6 --set $key=5
}
effect_scheduler_pad_bucket() { less "$(text --prompt-ids 1,2,3 | last input_words)" "$(text --prompt-ids 1,2,3 --set $key=8 | last input_words)" "words of a prompt"; }
effect_scheduler_prefill_mib() { less "$(text --prompt-ids 1,2,3,4,5,6 --set $key=256 | last rounds)" "$(text --prompt-ids 1,2,3,4,5,6 --set $key=1 | last rounds)" rounds; }
sampling() { text --prompt-ids 1 "$@" | python3 -c 'import json, sys; s = json.load(sys.stdin)["report"]["sampling"]; print(s["topk"], s["temperature"])'; }
effect_topk() { [ "$(sampling --temperature 2 --set $key=5)" = "5 2" ] || fail "$key: $(sampling --temperature 2 --set $key=5)"; }
effect_temperature() { [ "$(sampling --top-k 2 --set $key=0.5)" = "2 0.5" ] || fail "$key: $(sampling --top-k 2 --set $key=0.5)"; }
effect_sacrifice_level() {
    less "$(text --prompt-ids 1 --set $key=0 | last unit_words)" "$(text --prompt-ids 1 --set $key=1 | last unit_words)" material
    less "$(text --prompt-ids 1 --set $key=1 | last unit_words)" "$(text --prompt-ids 1 --set $key=2 | last unit_words)" material
}
effect_check_max_pending() { less "$(text --prompt-ids 1 --set $key=16777216 | last rounds)" "$(text --prompt-ids 1 --set $key=1000 | last rounds)" "rounds of checks"; }
effect_prompt_check() { less "$(text --prompt-ids 1 --set $key=off | last unit_words)" "$(text --prompt-ids 1 --set $key=on | last unit_words)" material; }

now_ms() { echo $(($(date +%s%N) / 1000000)); }
stopped_text() { # MS; how long it takes that a text ends of which a party stands still: sets $took
    local client
    rm -f "$scratch/pipe"
    mkfifo "$scratch/pipe"
    "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt "Once upon a time" --max-tokens 400 --set $key=$1 >"$scratch/pipe" 2>"$scratch/err" &
    client=$!
    pids+=("$client")
    exec 3<"$scratch/pipe"
    head -c 20 <&3 >/dev/null
    kill -STOP "$(pgrep -P "$client" -f "serve party --embedded" | head -n 1)" || fail "$key: no party"
    took=$(now_ms)
    cat <&3 >/dev/null
    exec 3<&-
    wait "$client" && fail "$key: a text without one party"
    took=$(($(now_ms) - took))
}
effect_net_round_ms() { # a party that is stopped within a frame has 10 s from its first byte: another try
    local ms took try
    for ms in 800 9000; do
        for try in 1 2 3 4 5 6; do
            stopped_text $ms
            grep -q 'sent a frame too slowly' "$scratch/err" || break
        done
        [ "$took" -ge $((ms - 200)) ] && [ "$took" -le $((ms + 8000)) ] || fail "$key=$ms: the text ended after $took ms, try $try: $(cat "$scratch/err")"
    done
}

# ---- what servers of their own do ----
start_role() { # NAME ROLE FLAGS...; sets $address
    local name=$1 role=$2; shift 2
    : >"$scratch/$name.out"
    "$eis" serve "$role" --set listen=127.0.0.1:0 --set tls.cert="$scratch/$name.crt" --set tls.key="$scratch/$name.key" \
        --set tls.client_ca="$scratch/ca/ca.crt" "$@" >"$scratch/$name.out" 2>"$scratch/$name.log" </dev/null &
    pid=$!
    pids+=("$pid")
    world+=("$pid")
    wait_lines "$scratch/$name.out" 1 "$pid" "$scratch/$name.log"
    address=$(sed -n 's/^listening //p' "$scratch/$name.out")
    [ -n "$address" ] || fail "$name prints $(cat "$scratch/$name.out")"
}
world=()
end_world() {
    kill -9 "${world[@]}" 2>/dev/null
    wait "${world[@]}" 2>/dev/null
    world=()
}
# Starts a Triple Service, two parties and a coordinator, with --set for the members that are named; sets $us.
open_world() { # MODEL_OWNER RELAY [MEMBER KEY=VALUE]...
    local owner=$1 relay=$2 i name a b dealer for_dealer=() for_a=() for_b=()
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
        dealer) for_dealer+=(--set "$2") ;;
        parties) for_a+=(--set "$2") for_b+=(--set "$2") ;;
        esac
        shift 2
    done
    start_role dealer triples "${for_dealer[@]}"; dealer=$address
    if [ -n "$relay" ]; then
        : >"$scratch/relay.out"
        python3 "$scratch/relay.py" "$dealer" >"$scratch/relay.out" 2>"$scratch/relay.err" &
        pids+=("$!") world+=("$!")
        wait_lines "$scratch/relay.out" 1 $! "$scratch/relay.err"
        dealer=$(cat "$scratch/relay.out")
    fi
    start_role a party "${for_a[@]}"; a=$address
    start_role b party "${for_b[@]}"; b=$address
    rm -f "$scratch/session"
    "$eis" serve coordinator --write-session "$scratch/session" --party "$a=$scratch/a.crt" --party "$b=$scratch/b.crt" --triples "$dealer=$scratch/dealer.crt" \
        --model-owner "$scratch/$owner.crt" --prompt-owner "$scratch/owner.crt" --tls-cert "$scratch/coordinator.crt" --model "$stories" \
        2>"$scratch/err" || fail "--write-session: $(cat "$scratch/err")"
    start_role coordinator coordinator --session "$scratch/session" --admin 127.0.0.1:0
    us=(--engine mpc --coordinator "$address" --ca "$scratch/ca/ca.crt" --cert "$scratch/owner.crt" --key "$scratch/owner.key" --session "$scratch/session")
}
ask() { timeout 60 "$eis" generate --model "$stories" --prompt-ids 1 --max-tokens "$1" --print-ids "${us[@]}"; }
ends_after() { # MS OWNER RELAY MEMBER KEY=VALUE; a session that cannot come up fails when the time is over
    local took ms=$1; shift
    open_world "$@"
    took=$(now_ms)
    ask 1 >"$scratch/out" 2>"$scratch/err" && fail "$key: a text came"
    took=$(($(now_ms) - took))
    end_world
    [ "$took" -ge $((ms - 300)) ] && [ "$took" -le $((ms + 8000)) ] || fail "$key: it ended after $took ms, not $ms: $(cat "$scratch/err")"
}
effect_net_dial_ms() { # only the first to come reaches the Triple Service, which is the coordinator
    cat >"$scratch/relay.py" <<'PY'
import socket, sys, threading
host, port = sys.argv[1].rsplit(":", 1)
door, held, first = socket.socket(), [], True
door.bind(("127.0.0.1", 0))
door.listen(16)
print("127.0.0.1:%d" % door.getsockname()[1], flush=True)
def pass_on(a, b):
    while data := a.recv(65536): b.sendall(data)
while True:
    caller = door.accept()[0]
    held.append(caller)
    if first:
        first, inner = False, socket.create_connection((host, int(port)))
        for pair in ((caller, inner), (inner, caller)): threading.Thread(target=pass_on, args=pair, daemon=True).start()
PY
    ends_after 500 owner relay parties $key=500
    ends_after 4000 owner relay parties $key=4000
}
effect_net_owner_ms() { # the owner of the model never comes
    ends_after 500 stranger '' parties $key=500
    ends_after 4000 stranger '' parties $key=4000
}
wait_text() { # CLIENT; until the first token is there
    for _ in $(seq 3000); do [ -s "$scratch/first" ] && return; kill -0 "$1" 2>/dev/null || break; sleep 0.02; done
    fail "$key: no first text: $(cat "$scratch/first.err")"
}
sessions_at_once() { # MEMBER; one text stands still while another one is asked for
    local most client rc
    for most in 1 2; do
        open_world owner '' "$1" "$key=$most"
        "$eis" generate --model "$stories" --prompt-ids 1 --max-tokens 400 "${us[@]}" >"$scratch/first" 2>"$scratch/first.err" &
        client=$!
        pids+=("$client")
        wait_text "$client"
        kill -STOP "$client" || fail "$key: no first text: $(cat "$scratch/first.err")"
        rc=0
        ask 1 >"$scratch/out" 2>"$scratch/err" || rc=$?
        kill -9 "$client"
        wait "$client" 2>/dev/null
        end_world
        if [ $most -eq 1 ]; then
            [ $rc -ne 0 ] && grep -q 'has 1 sessions' "$scratch/err" || fail "$key=1: a second session: $(cat "$scratch/err")"
        else
            [ $rc -eq 0 ] || fail "$key=2: $(cat "$scratch/err")"
        fi
    done
}
effect_party_sessions() { sessions_at_once parties; }
effect_dealer_sessions() { sessions_at_once dealer; }
count_settles() { # sets $count: the units that the coordinator hears of, when no more come
    local before=-1 same=0
    while [ $same -lt 4 ]; do
        count=$(python3 -c 'import re, sys, urllib.request as u
print(re.search(r"^eis_mpc_units_produced_total (\d+)", u.urlopen("http://" + sys.argv[1] + "/metrics").read().decode(), re.M)[1])' "$(sed -n 's/^admin //p' "$scratch/coordinator.out")") || fail "$key: metrics"
        same=$((count == before ? same + 1 : 0)) before=$count
        sleep 0.2
    done
}
units_dealt() { # KEY=VALUE...; how many units a Triple Service dealt for 15 tokens
    local setting client for_dealer=()
    trap end_world EXIT # this runs in a subshell, which nobody cleans up behind
    for setting in "$@"; do for_dealer+=(dealer "$setting"); done
    open_world owner '' "${for_dealer[@]}"
    "$eis" generate --model "$stories" --prompt-ids 1 --max-tokens 15 "${us[@]}" >"$scratch/first" 2>"$scratch/first.err" &
    client=$!
    pids+=("$client")
    wait_text "$client"
    kill -STOP "${world[1]}" # a party: the pool gets full behind the first token
    count_settles
    kill -CONT "${world[1]}"
    wait "$client" || fail "$*: $(cat "$scratch/first.err")"
    count_settles # what is dealt behind the last token
    end_world
    echo "$count"
}
effect_triple_pool_target() { less "$(units_dealt triple_pool.min_size=1 $key=1)" "$(units_dealt triple_pool.min_size=1 $key=20)" "units ahead"; }
effect_triple_pool_min_size() { # a party that is stopped too late has seen the pool filled again: another try
    local few try full=$((2 + 15 + 20))
    for try in 1 2 3 4 5; do
        few=$(units_dealt triple_pool.target=20 $key=1)
        [ "$few" -ge $full ] || break
    done
    less "$few" $full "units ahead, after $try tries"
    [ "$(units_dealt triple_pool.target=20 $key=20)" -eq $full ] || fail "$key: the load, the prompt, 15 tokens and 20 ahead"
}
effect_triple_pool_max_bytes() { less "$(units_dealt $key=1)" "$(units_dealt $key=1e9)" "units ahead"; }
effect_triple_pool_wait_ms() { # the Triple Service stands still for a while, or for good
    local ms client dealer took
    for ms in 4000 60000; do
        rm -f "$scratch/pipe"
        mkfifo "$scratch/pipe"
        "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt "Once upon a time" --max-tokens 200 --set $key=$ms \
            --set triple_pool.target=1 --set triple_pool.min_size=1 >"$scratch/pipe" 2>"$scratch/err" &
        client=$!
        pids+=("$client")
        exec 3<"$scratch/pipe"
        head -c 20 <&3 >/dev/null
        dealer=$(pgrep -P "$client" -f "serve triples --embedded")
        kill -STOP "$dealer" || fail "$key: no Triple Service"
        if [ $ms -eq 60000 ]; then
            sleep 4
            kill -0 "$client" || fail "$key=$ms: it is over: $(cat "$scratch/err")"
            kill -CONT "$dealer"
            cat <&3 >/dev/null
            wait "$client" || fail "$key=$ms: $(cat "$scratch/err")"
        else
            took=$(now_ms)
            cat <&3 >/dev/null
            wait "$client" && fail "$key=$ms: a text without material"
            took=$(($(now_ms) - took)) # in the middle of a unit the parties wait net.round_ms longer, and the link is what failed
            grep -qE 'no material in time \(triple_pool.wait_ms\)|sent nothing for [0-9]+ ms|sent a frame too slowly' "$scratch/err" || fail "$key=$ms: $(cat "$scratch/err")"
            [ "$took" -le 40000 ] || fail "$key=$ms: it ended after $took ms"
        fi
        exec 3<&-
    done
}
effect_party_threads() {
    local threads=()
    for count in 1 4; do
        start_role a party --set $key=$count
        threads+=("$(sed -n 's/^Threads:[[:space:]]*//p' "/proc/$pid/status")")
        end_world
    done
    [ $((threads[1] - threads[0])) -eq 3 ] || fail "$key: ${threads[*]} threads"
}
effect_dealer_master_mask() {
    expect 0 'nothing is hidden' "$eis" generate --engine mpc --parties 2 --model "$stories" --prompt-ids 1 --max-tokens 2 --print-ids --set $key=7
    expect 3 'loopback' "$eis" serve coordinator --write-session "$scratch/far" --party "192.0.2.1:1=$scratch/a.crt" --party "127.0.0.1:2=$scratch/b.crt" \
        --triples "127.0.0.1:3=$scratch/dealer.crt" --model-owner "$scratch/owner.crt" --prompt-owner "$scratch/owner.crt" --tls-cert "$scratch/coordinator.crt" --model "$stories" --set $key=7
}
effect_dealer_threads() { # that so many sessions are dealt for at once shows inside alone
    [ -x "$build/test.e2e.mpc_pool" ] || skip "e2e.mpc_pool is not built"
    "$build/test.e2e.mpc_pool" >"$scratch/out" 2>&1 || fail "$key: $(cat "$scratch/out")"
    grep -q 'OK.*test_threads' "$scratch/out" || fail "$key: $(cat "$scratch/out")"
    expect 2 'dealer.threads takes a whole number' "$eis" serve triples --set $key=-1
}
effect_prompt_plaintext_via_coordinator() {
    local who=(--model "$stories" --party "127.0.0.1:1=$scratch/a.crt" --party "127.0.0.1:2=$scratch/b.crt" --triples "127.0.0.1:3=$scratch/dealer.crt" --model-owner "$scratch/owner.crt")
    start_role coordinator coordinator "${who[@]}" --set $key=off
    grep -q plaintext_prompts "$scratch/coordinator.log" && fail "$key: off"
    start_role coordinator coordinator "${who[@]}" --set $key=on
    grep -q plaintext_prompts "$scratch/coordinator.log" || fail "$key: nobody says that prompts come in the clear"
    end_world
}
effect_listen() {
    local role
    for role in party triples; do
        start_role a $role
        [ "${address%:*}" = 127.0.0.1 ] && [ "${address##*:}" != 8490 ] || fail "$key: $address"
    done
    expect 4 "$address" "$eis" serve party --set listen="$address" --set tls.cert="$scratch/a.crt" --set tls.key="$scratch/a.key" --set tls.client_ca="$scratch/ca/ca.crt"
    end_world
}
without() { # a server that is told all papers but this one
    local name papers=()
    for name in cert:a.crt key:a.key client_ca:ca/ca.crt; do [ "tls.${name%%:*}" = "$key" ] || papers+=(--set "tls.${name%%:*}=$scratch/${name#*:}"); done
    expect 2 'give --tls-cert, --tls-key and --client-ca' "$eis" serve party "${papers[@]}"
    expect 3 "nowhere" "$eis" serve party "${papers[@]}" --set "$key=$scratch/nowhere"
}
effect_tls_cert() { without; }
effect_tls_key() { without; }
effect_tls_client_ca() { without; }
effect_store_path() {
    start_role a party
    [ ! -e "$scratch/records" ] || fail "$key: records without a path"
    end_world
    start_role a party --set store.path="$scratch/records"
    [ -s "$scratch/records" ] || fail "$key: no file"
    end_world
}

"$eis" ca init --dir "$scratch/ca" >/dev/null || fail "ca init"
for name in dealer a b coordinator owner stranger; do
    "$eis" ca issue --dir "$scratch/ca" --host 127.0.0.1 --server --client --name $name --out "$scratch/$name" >/dev/null || fail "ca issue"
done
mapfile -t keys < <("$eis" serve party --settings | awk -F: '/^[a-z_]+:$/ { section = $1 "."; next } /^[a-z_]+:/ { print $1; next } { gsub(/ /, "", $1); print section $1 }')
[ ${#keys[@]} -ge 30 ] || fail "the list of settings: ${keys[*]}"
for key in "${keys[@]}"; do
    declare -F "effect_${key//./_}" >/dev/null || fail "no test shows that $key has an effect"
done
for name in $(declare -F | sed -n 's/^declare -f effect_//p'); do
    printf '%s\n' "${keys[@]}" | tr . _ | grep -qx "$name" || fail "there is no setting that effect_$name could be of"
done
read -ra some <<<"${EIS_TEST_TUNABLES:-${keys[*]}}" # for whoever looks at some of them
for key in "${some[@]}"; do
    began=$(now_ms)
    "effect_${key//./_}"
    echo "$key $(($(now_ms) - began)) ms"
done
echo ok
