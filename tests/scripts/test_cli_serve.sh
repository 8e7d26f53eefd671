#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Servers by hand, as their owners run them. A client that talked to the wrong server, or to one server under two names,
# would hand out its input; a server that ignored SIGTERM would cut off its clients.
. "$(dirname "$0")/../support/cli.sh"
command -v curl >/dev/null || skip "no curl"
ask() { "$eis" generate --engine split --model "$stories" --prompt "Once upon a time" --max-tokens 8 "$@"; }
"$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 8 >"$scratch/plain"
make_papers 3
head -c 24 /dev/urandom | base64 >"$scratch/token"
head -c 24 /dev/urandom | base64 >"$scratch/other-token"
chmod 600 "$scratch/token" "$scratch/other-token"

# two servers with all checks on: CA, names, client certificates, a token
start_servers 2 --model "$stories" --model d="$digits" --client-ca "$scratch/ca/ca.crt" --token-file "$scratch/token" --http 127.0.0.1:0
us=(--servers "$servers" --cert "$scratch/client.crt" --key "$scratch/client.key" --token-file "$scratch/token" --model-name tiny-stories)
ask "${us[@]}" --ca "$scratch/ca/ca.crt" >"$scratch/text" 2>"$scratch/err" || fail "by CA: $(cat "$scratch/err")"
cmp "$scratch/plain" "$scratch/text" || fail "by CA: another text"
ask "${us[@]}" --pin "$(pin_of a),$(pin_of b)" | cmp - "$scratch/plain" || fail "by pin"

# who may not: the exit code tells why
expect 5 '' ask "${us[@]}"                                                    # the system's CAs do not know ours
"$eis" ca init --dir "$scratch/foreign" >/dev/null
expect 5 '' ask "${us[@]}" --ca "$scratch/foreign/ca.crt"
expect 5 '' ask "${us[@]}" --pin "$(pin_of b),$(pin_of a)"                    # swapped
expect 2 'one key twice' ask "${us[@]}" --pin "$(pin_of a),$(pin_of a)"
expect 2 '' ask "${us[@]}" --servers "${servers%,*},${servers%,*}" --ca "$scratch/ca/ca.crt"
expect 2 'certificates, pins and tokens' ask --ca "$scratch/ca/ca.crt"
expect 4 '' ask --servers "$servers" --ca "$scratch/ca/ca.crt" --cert "$scratch/client.crt" --key "$scratch/client.key" \
    --token-file "$scratch/other-token" --model-name tiny-stories
expect 4 'nobody' ask "${us[@]}" --ca "$scratch/ca/ca.crt" --model-name nobody
expect 5 '' ask "${us[@]}" --ca "$scratch/ca/ca.crt" --model-name d           # other weights
expect 5 '' ask "${us[@]}" --ca "$scratch/ca/ca.crt" --profile f61            # another packing of the same ones
timeout 20 "$eis" generate --engine split --model "$stories" --prompt a --servers "$servers" --ca "$scratch/ca/ca.crt" \
    --token-file "$scratch/token" --model-name tiny-stories >"$scratch/out" 2>"$scratch/err"
rc=$?
[ $rc -eq 4 ] || [ $rc -eq 5 ] || fail "without a client certificate: exit code $rc, $(cat "$scratch/err")"
chmod 644 "$scratch/token"
expect 2 '' ask "${us[@]}" --ca "$scratch/ca/ca.crt"                          # a token that others can read
chmod 600 "$scratch/token"

# the same port a second time
expect 4 "${stream##*:}" "$eis" serve split --model "$digits" --listen "$stream" --tls-cert "$scratch/a.crt" --tls-key "$scratch/a.key"
# a key that others can read, and one that belongs to another certificate
chmod 644 "$scratch/c.key"
expect 3 'c.key' "$eis" serve split --model "$digits" --listen 127.0.0.1:0 --tls-cert "$scratch/c.crt" --tls-key "$scratch/c.key"
chmod 600 "$scratch/c.key"
expect 5 'a\.crt and .*c\.key: .*does not belong' "$eis" serve split --model "$digits" --listen 127.0.0.1:0 --tls-cert "$scratch/a.crt" --tls-key "$scratch/c.key"
expect 5 'a\.crt and .*c\.key: .*does not belong' "$eis" serve api --registry "$root/models/registry" --listen 127.0.0.1:0 --tls-cert "$scratch/a.crt" --tls-key "$scratch/c.key"
expect 2 'same|two models' "$eis" serve split --model "$digits" --model "$digits" --listen 127.0.0.1:0 --tls-cert "$scratch/a.crt" --tls-key "$scratch/a.key"

# REST of the last server: by TLS, with the client's certificate; errors are problem+json
rest() { curl -sS --max-time 20 --cacert "$scratch/ca/ca.crt" --cert "$scratch/client.crt" --key "$scratch/client.key" \
    -H "Authorization: Bearer $(cat "$scratch/token")" "$@"; }
rest "https://$http/health" | python3 -m json.tool >/dev/null || fail "/health"
rest "https://$http/v1/models" | grep -q tiny-stories || fail "/v1/models"
rest "https://$http/metrics" | grep -q '^eis_split_requests' || fail "/metrics"
rest -o "$scratch/body" -w '%{http_code} %{content_type}' -H 'Content-Type: application/json' -d '{"x_share":[1,2,3]}' \
    "https://$http/matmul" >"$scratch/code"
grep -q '^403 application/problem+json' "$scratch/code" || fail "legacy floats are not refused: $(cat "$scratch/code" "$scratch/body")"
grep -q LEGACY_FLOAT_DISABLED "$scratch/body" || fail "the refusal has no code"

# logs are JSON lines (a priority stands in front only where the journal reads), and hold neither prompts nor tokens
for name in a b; do
    sed -E 's/^<[0-7]>//' "$scratch/$name.log" | python3 -c 'import json, sys
for line in sys.stdin: assert {"time", "level", "event", "text"} <= set(json.loads(line))' || fail "a line of $name.log is no JSON"
    grep -qE '^\{"time"' "$scratch/$name.log" || fail "the log is not JSON lines"
    grep -q -e "Once upon" -e "$(cat "$scratch/token")" "$scratch/$name.log" && fail "a secret in $name.log"
done

# SIGTERM drains and ends with 0
for pid in "${server_pids[@]}"; do stop_server "$pid"; done
expect 4 '' ask "${us[@]}" --ca "$scratch/ca/ca.crt" --timeout 2000

# the original's floats, where the operator wants them: REST alone, in plain on loopback, labelled
start_server legacy --legacy-float --http 127.0.0.1:0
grep -q legacy_float "$scratch/legacy.log" || fail "no warning at start"
[ -z "$stream" ] || fail "a stream without a certificate"
python3 -c 'import json; print(json.dumps({"x_share": [0.5] * 256}))' >"$scratch/request"
curl -sS --max-time 20 -D "$scratch/head" -H 'Content-Type: application/json' -d @"$scratch/request" "http://$http/matmul" >"$scratch/body" || fail "legacy request"
grep -qi '^EIS-Privacy: leaks-input' "$scratch/head" || fail "the reply is not labelled"
python3 -c 'import json, sys; assert len(json.load(open(sys.argv[1]))["y_partial"]) == 10' "$scratch/body" || fail "y_partial"
first=$http
start_server legacy2 --legacy-float --http 127.0.0.1:0
expect 0 '' "$eis" audit --legacy-float --servers "$first,http://$http" --repeat 64 --json
python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
assert r["answer_error"] < 1e-5 and r["last_server"][-1]["correlation"] > 0.95' "$scratch/out" || fail "the last server does not recover the input"
stop_server "$pid"
echo ok
