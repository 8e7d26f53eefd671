#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Parties and Triple Service as their owners start them: by flags or from a YAML file, in both programs, nobody without
# a certificate of the CA gets a word, and SIGTERM ends them in order.
. "$(dirname "$0")/../support/cli.sh"
"$eis" ca init --dir "$scratch/ca" >/dev/null || fail "ca init"
for name in a b; do "$eis" ca issue --dir "$scratch/ca" --host 127.0.0.1 --server --client --name $name --out "$scratch/$name" >/dev/null || fail "ca issue"; done

start() { # PROGRAM FLAGS...
    : >"$scratch/out"
    "$@" >"$scratch/out" 2>"$scratch/log" </dev/null &
    pid=$!
    pids+=("$pid")
    wait_lines "$scratch/out" 1 "$pid" "$scratch/log"
    address=$(sed -n 's/^listening //p' "$scratch/out")
    [ -n "$address" ] || fail "$* prints $(cat "$scratch/out")"
}
stop() {
    kill -TERM "$pid"
    wait "$pid" || fail "exit code $? after SIGTERM: $(cat "$scratch/log")"
    grep -q '"stopped"' "$scratch/log" || fail "the log does not say that it stopped: $(cat "$scratch/log")"
}

for program in "$eis" "$build/eis-server"; do
    [ -x "$program" ] || continue
    for role in party triples; do
        start "$program" serve $role --listen 127.0.0.1:0 --tls-cert "$scratch/a.crt" --tls-key "$scratch/a.key" --client-ca "$scratch/ca/ca.crt"
        if command -v openssl >/dev/null; then
            said=$(sleep 1 | timeout 20 openssl s_client -connect "$address" -CAfile "$scratch/ca/ca.crt" -alpn eis-mpc/1 -tls1_3 2>&1 | grep -c 'alert.*certificate required')
            ok=$(sleep 1 | timeout 20 openssl s_client -connect "$address" -CAfile "$scratch/ca/ca.crt" -alpn eis-mpc/1 -tls1_3 -cert "$scratch/b.crt" -key "$scratch/b.key" 2>&1 | grep -c 'alert')
            [ "$said" -ge 1 ] && [ "$ok" -eq 0 ] || fail "$role: certificates decide nothing: $said, $ok"
            timeout 20 openssl s_client -connect "$address" -tls1_2 </dev/null >/dev/null 2>&1 && fail "$role: TLS 1.2"
        fi
        stop
    done
done

# the same from a file; single keys win
cat >"$scratch/party.yaml" <<YAML
# one party
listen: 127.0.0.1:1
tls:
  cert: $scratch/a.crt
  key: $scratch/a.key
  client_ca: $scratch/ca/ca.crt
net:
  round_ms: 2000
party:
  sessions: 2
YAML
start "$eis" serve party --config "$scratch/party.yaml" --set listen=127.0.0.1:0
stop
start "$eis" serve triples --config "$scratch/party.yaml" --listen 127.0.0.1:0
stop

# records of material: a file for its owner alone, and for one server
for role in party triples; do
    start "$eis" serve $role --config "$scratch/party.yaml" --set listen=127.0.0.1:0 --set store.path="$scratch/$role.db"
    [ "$(stat -c %a "$scratch/$role.db")" = 600 ] || fail "$role: mode of the records: $(stat -c %a "$scratch/$role.db")"
    timeout 20 "$eis" serve $role --config "$scratch/party.yaml" --set listen=127.0.0.1:0 --set store.path="$scratch/$role.db" \
        >/dev/null 2>"$scratch/second" && fail "$role: two servers with one file"
    grep -q "$role.db" "$scratch/second" || fail "$role: the second server says: $(cat "$scratch/second")"
    stop
done

expect 2 'client-ca' "$eis" serve party --tls-cert "$scratch/a.crt" --tls-key "$scratch/a.key"
expect 2 'no flag' "$eis" serve triples hello
expect 2 'no setting "net.rounds"' "$eis" serve party --set net.rounds=3
expect 2 'net.round_ms takes a whole number' "$eis" serve party --config "$scratch/party.yaml" --set net.round_ms=0
expect 3 'nowhere' "$eis" serve party --tls-cert "$scratch/nowhere" --tls-key "$scratch/a.key" --client-ca "$scratch/ca/ca.crt"
for program in "$eis" "$build/eis-server"; do # what a party signs tokens with is what its certificate says
    [ -x "$program" ] || continue
    for role in party triples; do
        expect 5 'b\.crt and .*a\.key: .*does not belong' "$program" serve $role --listen 127.0.0.1:0 --tls-cert "$scratch/b.crt" --tls-key "$scratch/a.key" --client-ca "$scratch/ca/ca.crt"
    done
done
printf 'tls:\n  password: x\n' >"$scratch/bad.yaml"
expect 3 'Unexpected key: password.*line: 2, column' "$eis" serve triples --config "$scratch/bad.yaml"
chmod 644 "$scratch/a.key"
expect 3 'a.key' "$eis" serve party --config "$scratch/party.yaml"
echo ok
