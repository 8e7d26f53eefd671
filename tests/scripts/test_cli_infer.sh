#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A client of a server that it does not trust: keys stay in a file of mode 0600 and are uploaded once, answers are right,
# older servers are understood, what lies is refused before it is decrypted, and a lost answer costs one repetition of
# the same bytes.
. "$(dirname "$0")/../support/cli.sh"
. "$root/tests/support/api.sh"
command -v python3 >/dev/null || skip "there is no python3"
export XDG_DATA_HOME=$scratch/data
three=$digits/samples/3.pgm

make_registry logistic_v1 digits-square breast-cancer
start_api api --registry "$registry" --rate 0

# the right class; the key is kept, and used again with what was uploaded
expect 0 'evaluation keys \([0-9.]+ MB\)' "$eis" infer --url "$api" --model digits-square --input "$three" --report
[ "$(cat "$scratch/out")" = "$(printf '0\t3')" ] || fail "digit: $(cat "$scratch/out")"
key=$(echo "$XDG_DATA_HOME"/eis/he/*.key)
[ "$(stat -c %a "$key")" = 600 ] || fail "mode of $key"
[ "$(stat -c %a "$XDG_DATA_HOME/eis/he")" = 700 ] || fail "mode of the directory"
sum=$(sha256sum <"$key")
expect 0 'from an earlier run' "$eis" infer --url "$api" --model digits-square --input "$digits/samples/7.pgm" --report --json
[ "$(sha256sum <"$key")" = "$sum" ] || fail "the key changed"
python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert rows[0]["label"] == "7" and rows[0]["class"] == 7 and len(rows[0]["values"]) == 10, rows[0]
r = rows[1]["report"]
assert rows[1]["done"] and rows[1]["count"] == 1 and r["engine"] == "he" and r["keys_found"] and r["key_bytes"] == 0
assert r["requests"] == 1 and r["bytes_up"] < 500000 and 0 < r["error_bound"] < 1, r' "$scratch/out" || fail "--json"

# the same as in plain, for every digit; a batch in the slots of one request
for d in 0 1 2 4 5 6 8 9; do
    [ "$("$eis" infer --url "$api" --model digits-square --input "$digits/samples/$d.pgm" --quiet)" = "$("$eis" classify --model "$root/models/digits-square" --input "$digits/samples/$d.pgm")" ] || fail "digit $d"
done
printf '[[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8],[1,1,1,1,1,1,1,1],[0,0,0,0,0,0,0,-1]]' >"$scratch/x.json"
logistic() { # FLAGS...
    expect 0 '' "$eis" infer --model logistic_v1 --input "$scratch/x.json" "$@"
    python3 -c 'import json, sys
w = [0.15, -0.08, 0.11, 0.07, -0.12, 0.09, 0.05, -0.04]
inputs = json.load(open(sys.argv[1]))
lines = [line.split("\t") for line in open(sys.argv[2])]
assert [int(i) for i, _ in lines] == [0, 1, 2], lines
for x, (_, y) in zip(inputs, lines):
    assert abs(float(y) - (0.5 + 0.197 * (sum(a * b for a, b in zip(w, x)) - 0.02))) < 1e-3, (x, y)' "$scratch/x.json" "$scratch/out" || fail "logistic $*: $(cat "$scratch/out")"
}
logistic --url "$api"
logistic --url "$api" --encoding hex
logistic --url "$api" --encoding base64
logistic --url "$api/" --tenant north

# a key belongs to one server and one chain
expect 2 'other encryption parameters' "$eis" infer --url "$api" --model logistic_v1 --input "$scratch/x.json" --key-file "$key"
expect 2 'one key for two servers' "$eis" infer --url "http://localhost:$api_port" --model digits-square --input "$three" --key-file "$key"
cp "$key" "$scratch/open.key" && chmod 644 "$scratch/open.key"
expect 3 'chmod 600' "$eis" infer --url "$api" --model digits-square --input "$three" --key-file "$scratch/open.key"
head -c 5000 "$key" >"$scratch/cut.key" && chmod 600 "$scratch/cut.key"
expect 3 'cut.key' "$eis" infer --url "$api" --model digits-square --input "$three" --key-file "$scratch/cut.key"

# a key that a passphrase seals
echo 'correct horse battery staple' >"$scratch/phrase" && echo 'another one' >"$scratch/phrase2" && chmod 600 "$scratch"/phrase*
sealed=(--key-file "$scratch/sealed.key" --passphrase-file "$scratch/phrase")
logistic --url "$api" "${sealed[@]}"
sum=$(sha256sum <"$scratch/sealed.key")
logistic --url "$api" "${sealed[@]}"
[ "$(sha256sum <"$scratch/sealed.key")" = "$sum" ] || fail "a sealed key changed"
expect 2 'passphrase' "$eis" infer --url "$api" --model logistic_v1 --input "$scratch/x.json" --key-file "$scratch/sealed.key"
expect 2 'passphrase' "$eis" infer --url "$api" --model logistic_v1 --input "$scratch/x.json" --key-file "$scratch/sealed.key" --passphrase-file "$scratch/phrase2"

# what a user can get wrong
expect 2 'url is missing' "$eis" infer --model x --input "$three"
expect 2 'no URL' "$eis" infer --url 127.0.0.1:1 --model x --input "$three"
expect 4 'no-such-model|MODEL_NOT_FOUND' "$eis" infer --url "$api" --model no-such-model --input "$three"
expect 3 'takes 8' "$eis" infer --url "$api" --model logistic_v1 --input "$three"
expect 2 'https' "$eis" infer --url http://192.0.2.1:8000 --model x --input "$three" --timeout 200
expect 3 'POLICY' "$eis" infer --url "$api" --model digits-square --input "$three" --security-policy he-guidelines-2024-192
expect 0 '' "$eis" infer --url "$api" --model logistic_v1 --input "$scratch/x.json" --security-policy he-standard-2018
expect 3 'room|bits' "$eis" infer --url "$api" --model digits-square --input "$three" --publish-bits 40

# older servers
start_proxy newest
logistic --url "$proxy"
start_proxy documented
logistic --url "$proxy"

# a lost answer: the same bytes again, one job
start_proxy flaky
logistic --url "$proxy" --report
grep -qE '\([1-9] repeated\)' "$scratch/err" || fail "a lost answer was not repeated: $(cat "$scratch/err")"

# a reply that is not what was promised is refused before it is decrypted
for mode in wrong-model seeded; do
    start_proxy $mode
    expect 5 'INTEGRITY' "$eis" infer --url "$proxy" --model logistic_v1 --input "$scratch/x.json" --encoding hex
done

# keys that the server has forgotten are uploaded again
key_digest=$(python3 -c 'import sys
d = open(sys.argv[1], "rb").read()
at = 29; n = int.from_bytes(d[at:at+2], "little"); at += 2 + n + 32
assert int.from_bytes(d[at:at+4], "little") == 1; at += 4
for _ in range(2): at += 2 + int.from_bytes(d[at:at+2], "little")
print(d[at:at+32].hex())' "$key")
python3 -c 'import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1])); c.request("DELETE", "/keys/" + sys.argv[2])
assert c.getresponse().status == 204' "$api_port" "$key_digest" || fail "DELETE"
expect 0 'evaluation keys \([0-9.]+ MB\)' "$eis" infer --url "$api" --model digits-square --input "$three" --report
stop_server "$api_pid"
expect 4 '' "$eis" infer --url "$api" --model digits-square --input "$three" --timeout 300

# TLS and a token: who is at the other end is checked first, then it learns who we are
make_papers 1
(umask 077 && echo a-token-that-is-long-enough >"$scratch/token" && echo another-token-that-is-long >"$scratch/other")
start_api secure --registry "$registry" --tls-cert "$scratch/a.crt" --tls-key "$scratch/a.key" --token-file "$scratch/token"
secure=https://127.0.0.1:$api_port
logistic --url "$secure" --ca "$scratch/ca/ca.crt" --token-file "$scratch/token"
logistic --url "$secure" --pin "$(pin_of a)" --token-file "$scratch/token"
expect 4 'UNAUTHENTICATED' "$eis" infer --url "$secure" --ca "$scratch/ca/ca.crt" --token-file "$scratch/other" --model logistic_v1 --input "$scratch/x.json"
expect 4 'UNAUTHENTICATED' "$eis" infer --url "$secure" --ca "$scratch/ca/ca.crt" --model logistic_v1 --input "$scratch/x.json"
expect 5 'TLS' "$eis" infer --url "$secure" --token-file "$scratch/token" --model logistic_v1 --input "$scratch/x.json"
expect 0 '' "$eis" conform --url "$secure" --ca "$scratch/ca/ca.crt" --token-file "$scratch/token" --model logistic_v1 --only values
stop_server "$api_pid"

# eis classify with a server of its own, and with a named one; the same lines as in plain
square=$root/models/digits-square
"$eis" classify --model "$square" --input "$three" >"$scratch/plain"
expect 0 'a process of its own' "$eis" classify --engine he --model "$square" --input "$three" --report
cmp -s "$scratch/out" "$scratch/plain" || fail "classify --engine he"
"$eis" classify --engine he --model "$square" --input "$three" --json --quiet >"$scratch/lines" || fail "classify --json"
python3 -c 'import json, math, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert rows[0]["class"] == 3 and rows[1]["report"]["engine"] == "he" and rows[1]["report"]["request_bytes"] > 0
# logits end one place behind the first digit of their error
places = 1 - math.floor(math.log10(rows[1]["report"]["error_bound"]))
assert all(v == round(v, places) for v in rows[0]["logits"]), (places, rows[0])
assert any(v != round(v, places - 1) for v in rows[0]["logits"]), (places, rows[0])' "$scratch/lines" || fail "classify --json"
start_api again --registry "$registry" --rate 0
expect 0 '' "$eis" classify --engine he --url "$api" --model-name digits-square --model "$square" --input "$three"
cmp -s "$scratch/out" "$scratch/plain" || fail "classify --url"
expect 3 'takes 8' "$eis" classify --engine he --url "$api" --model-name logistic_v1 --model "$square" --input "$three"
expect 2 'model-name' "$eis" classify --engine he --url "$api" --model "$square" --input "$three"
expect 2 'go with --engine he' "$eis" classify --model "$square" --input "$three" --chain M
expect 2 'go with --engine split' "$eis" classify --engine he --model "$square" --input "$three" --shares 3

# a model that ciphertexts cannot compute is refused with an offer, and computed in rounds where that is asked for
expect 3 '^eis: layer 3 .relu. .*degree 2.*--interactive.*MODEL_INVALID' "$eis" classify --engine he --model "$digits" --input "$three"
"$eis" classify --model "$digits" --input "$three" >"$scratch/plain"
expect 0 'rounds' "$eis" classify --engine he --interactive --model "$digits" --input "$three" --report
cmp -s "$scratch/out" "$scratch/plain" || fail "interactive"

# plans
"$eis" plan --engine he --model "$square" --json | python3 -c 'import json, sys
p = json.load(sys.stdin)
assert p["chain"] == "M" and p["poly_modulus_degree"] == 8192 and p["scale"] == 2 ** 27 and p["total_bits"] <= p["total_bits_max"] == 214
assert p["relin"] and p["rotation_keys"] > 0 and p["key_bytes"] > 0 and p["expected_ms"] > 0 and len(p["layers"]) == 5' || fail "plan --json"
expect 0 '' "$eis" plan --engine he --model "$square"
grep -q 'better from' "$scratch/out" || fail "the plan does not say when a batch is better"
expect 3 'degree 2' "$eis" plan --engine he --model "$digits"
expect 3 '' "$eis" plan --engine he --model "$square" --tolerance 1e-9
expect 3 'POLICY|bits' "$eis" plan --engine he --model "$square" --chain M --security-policy he-guidelines-2024-192
expect 2 'go with --engine he' "$eis" plan --model "$square" --chain M
echo ok
