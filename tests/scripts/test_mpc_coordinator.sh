#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A coordinator as its owner starts it: sessions written down by one program and served by another, health and metrics,
# TLS 1.3 with certificates alone, an end in order.
. "$(dirname "$0")/../support/cli.sh"
"$eis" ca init --dir "$scratch/ca" >/dev/null || fail "ca init"
for name in a b t c o; do "$eis" ca issue --dir "$scratch/ca" --host 127.0.0.1 --server --client --name $name --out "$scratch/$name" >/dev/null || fail "ca issue"; done

start() { # PROGRAM FLAGS...
    : >"$scratch/out"
    "$@" >"$scratch/out" 2>"$scratch/log" </dev/null &
    pid=$!
    pids+=("$pid")
    wait_lines "$scratch/out" 2 "$pid" "$scratch/log"
    address=$(sed -n 's/^listening //p' "$scratch/out")
    admin=$(sed -n 's/^admin //p' "$scratch/out")
    [ -n "$address" ] && [ -n "$admin" ] || fail "$* prints $(cat "$scratch/out")"
}
stop() {
    kill -TERM "$pid"
    wait "$pid" || fail "exit code $? after SIGTERM: $(cat "$scratch/log")"
    grep -q '"stopped"' "$scratch/log" || fail "the log does not say that it stopped: $(cat "$scratch/log")"
}
tls=(--tls-cert "$scratch/c.crt" --tls-key "$scratch/c.key" --client-ca "$scratch/ca/ca.crt")
who=(--party "127.0.0.1:1=$scratch/a.crt" --party "127.0.0.1:2=$scratch/b.crt" --triples "127.0.0.1:3=$scratch/t.crt" --model-owner "$scratch/o.crt")
model=$root/models/tiny-stories

"$eis" serve coordinator --write-session "$scratch/s" --model "tiny=$model" "${who[@]}" --tls-cert "$scratch/c.crt" || fail "--write-session"
[ -s "$scratch/s" ] && [ "$(wc -c <"$scratch/s")" -lt 10000 ] || fail "a session of $(wc -c <"$scratch/s") bytes"
expect 3 'exists' "$eis" serve coordinator --write-session "$scratch/s" --model "$model" "${who[@]}" --tls-cert "$scratch/c.crt"

for program in "$eis" "$build/eis-server"; do
    [ -x "$program" ] || continue
    start "$program" serve coordinator --session "$scratch/s" --listen 127.0.0.1:0 --admin 127.0.0.1:0 "${tls[@]}" --plaintext-prompts --tokenizer "$model"
    grep -q 'plaintext_prompts' "$scratch/log" || fail "nobody says that prompts come in the clear"
    if command -v curl >/dev/null; then
        [ "$(curl -s "http://$admin/healthz")" = '{"ok":true}' ] || fail "healthz: $(curl -s "http://$admin/healthz")"
        curl -s "http://$admin/metrics" | grep -q '^mimir_generated_tokens_total 0$' || fail "metrics"
    fi
    if command -v curl >/dev/null && curl --version | grep -q HTTP2; then
        call() { curl -s -o /dev/null -w '%{http_version} %{http_code}' --max-time 20 --http2 --cacert "$scratch/ca/ca.crt" "$@" -X POST -H 'content-type: application/grpc' -H 'te: trailers' --data-binary @"$scratch/empty" "https://$address/mimir.Coordinator/FetchMetrics"; }
        printf '\0\0\0\0\0' >"$scratch/empty" # an empty message in its frame
        got=$(call --cert "$scratch/o.crt" --key "$scratch/o.key")
        [ "$got" = '2 200' ] || fail "with a certificate: $got"
        call >"$scratch/call" && fail "without a certificate: $(cat "$scratch/call")"
    fi
    if command -v openssl >/dev/null; then
        timeout 20 openssl s_client -connect "$address" -tls1_2 </dev/null >/dev/null 2>&1 && fail "TLS 1.2"
    fi
    stop
done
start "$eis" serve coordinator --model "tiny=$model" "${who[@]}" --listen 127.0.0.1:0 --admin 127.0.0.1:0 "${tls[@]}" --plaintext-grpc
stop

expect 2 'session FILE' "$eis" serve coordinator "${tls[@]}"
expect 2 'client-ca' "$eis" serve coordinator --session "$scratch/s"
expect 2 'model-owner' "$eis" serve coordinator --model "$model" "${tls[@]}"
expect 2 'HOST:PORT=CERT' "$eis" serve coordinator --model "$model" --party 127.0.0.1:1 --party 127.0.0.1:2 --triples x --model-owner "$scratch/o.crt" "${tls[@]}"
expect 2 'loopback' "$eis" serve coordinator --session "$scratch/s" --listen 0.0.0.0:0 --plaintext-grpc "${tls[@]}"
for how in '' --plaintext-grpc; do
    expect 5 'c\.crt and .*o\.key: .*does not belong' "$eis" serve coordinator --session "$scratch/s" --listen 127.0.0.1:0 $how --tls-cert "$scratch/c.crt" --tls-key "$scratch/o.key" --client-ca "$scratch/ca/ca.crt"
done
expect 2 'another coordinator' "$eis" serve coordinator --session "$scratch/s" --tls-cert "$scratch/o.crt" --tls-key "$scratch/o.key" --client-ca "$scratch/ca/ca.crt"
expect 3 'key' "$eis" serve coordinator --model "$model" --party "127.0.0.1:1=$scratch/a.crt" --party "127.0.0.1:2=$scratch/a.crt" --triples "127.0.0.1:3=$scratch/t.crt" --model-owner "$scratch/o.crt" "${tls[@]}"
expect 3 'not a session' "$eis" serve coordinator --session "$scratch/a.crt" "${tls[@]}"
echo ok
