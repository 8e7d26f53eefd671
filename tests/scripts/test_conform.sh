#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The conformance suite must pass whole against our server and must name what is wrong with servers that are broken on
# purpose: a suite that nothing fails proves nothing.
. "$(dirname "$0")/../support/cli.sh"
. "$root/tests/support/api.sh"
command -v python3 >/dev/null || skip "there is no python3"

make_registry logistic_v1 digits-square breast-cancer
start_api api --registry "$registry" --rate 0 --publish-weights --enable-plain

# every part passes; values are compared with plain ones
expect 0 '' "$eis" conform --url "$api"
cp "$scratch/out" "$scratch/whole"
grep -q '^FAIL' "$scratch/whole" && fail "$(grep '^FAIL' "$scratch/whole")"
[ "$(grep -c '^ok' "$scratch/whole")" -ge 200 ] || fail "only $(grep -c '^ok' "$scratch/whole") checks"
for name in ciphertext.magic length.trailing scale.2^200 transparent.last-limb zstd.bomb keys.stored jobs.immutable \
    idempotency.same-job tenants.separate order.model-before-size frame.padding framing.two-lengths; do
    grep -q "^ok .* $name " "$scratch/whole" || grep -q "^ok  $name " "$scratch/whole" || fail "$name was not checked"
done
grep -q 'values.digits-square .*against POST /infer/plain' "$scratch/whole" || fail "values beside plain ones"
grep -q 'values.logistic_v1 .*against its published weights' "$scratch/whole" || fail "values beside weights"

# features without keys are another target, with scales of their own
expect 0 '' "$eis" conform --url "$api" --model logistic_v1 --only ciphertexts --json
python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
assert r["failed"] == 0 and r["profile"] == "v1"
names = {c["name"]: c["result"] for c in r["checks"]}
assert names["scale.unequal"] == "pass" and names["scale.other"] == "pass", names
assert all(set(c) == {"name", "clause", "result", "note"} for c in r["checks"])' "$scratch/out" || fail "--json"

# three servers that are broken on purpose, each found for what is wrong with it, by name
broken() { # MODE PART NAME...
    local mode=$1 part=$2 name; shift 2
    start_proxy "$mode"
    expect 1 'checks failed' "$eis" conform --url "$proxy" --model breast-cancer --only "$part"
    for name in "$@"; do
        grep -q "^FAIL  $name " "$scratch/out" || fail "$mode: $name is not named: $(grep '^FAIL' "$scratch/out" | head -5)"
    done
}
start_proxy through
expect 0 '' "$eis" conform --url "$proxy" --model breast-cancer --only jobs
broken lenient ciphertexts ciphertext.magic ciphertext.not-ntt length.trailing scale.2^200 transparent.whole zstd.bomb
grep -q '^ok  *parms.unknown' "$scratch/out" || fail "what is not broken fails, too: $(cat "$scratch/out")"
broken backward jobs jobs.immutable
broken unversioned envelope envelope.no-json envelope.unknown-model
broken unversioned discovery models.list

# other descriptions of the protocol: a server of the original's kind passes as what it is, and not as ours
start_proxy newest
expect 0 '' "$eis" conform --url "$proxy" --profile newest
expect 1 '' "$eis" conform --url "$proxy" --only discovery
start_proxy documented
expect 0 '' "$eis" conform --url "$proxy" --profile documented
expect 1 '' "$eis" conform --url "$proxy" --profile newest --only jobs

# a server that limits calls is waited for; its limit can be looked at
stop_server "$api_pid"
start_api limited --registry "$registry" --rate 4/1
expect 0 'limits calls' "$eis" conform --url "$api" --model breast-cancer --only order
expect 0 '' "$eis" conform --url "$api" --model breast-cancer --only rate --rate-limit
grep -q '^ok  *rate.headers' "$scratch/out" || fail "rate: $(cat "$scratch/out")"
stop_server "$api_pid"

expect 4 '' "$eis" conform --url http://127.0.0.1:1
expect 2 'url is missing' "$eis" conform
expect 2 'no profile' "$eis" conform --url "$api" --profile ours
echo ok
