#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A certificate that its CA has revoked: whoever has the list lets nobody in with it, says so, and goes on with others.
# openssl judges our lists as well.
. "$(dirname "$0")/../support/cli.sh"
. "$(dirname "$0")/../support/mpc_hosts.sh"
revoke() { # FLAGS...: the list anew, and the file that everybody trusts
    "$eis" ca revoke --dir "$scratch/ca" "$@" >/dev/null || fail "ca revoke $*"
    cat "$scratch/ca/ca.crt" "$scratch/ca/ca.crl" >"$scratch/trusted"
}
everybody() { # NUMBER: servers that know the list of now, and their sessions
    for i in "${pids[@]}"; do kill "$i" 2>/dev/null; done
    rm -f "$scratch"/*.out
    start dealer triples --client-ca "$scratch/trusted"; dealer=$address
    start a party --client-ca "$scratch/trusted"; a=$address
    start b party; b=$address
    rm -f "$scratch/session"
    agree "$scratch/session" --model "stories=$stories"
    start coordinator coordinator --session "$scratch/session" --client-ca "$scratch/trusted"; coordinator=$address
}
ask=("$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 2)
us() { timeout 60 "${ask[@]}" --engine mpc --coordinator "$coordinator" --ca "$scratch/trusted" --cert "$scratch/owner.crt" --key "$scratch/owner.key" --session "$scratch/session"; }
"${ask[@]}" >"$scratch/right" || fail "plain"

revoke --cert "$scratch/stranger.crt"
if command -v openssl >/dev/null; then
    openssl crl -in "$scratch/ca/ca.crl" -CAfile "$scratch/ca/ca.crt" -noout 2>&1 | grep -q 'verify OK' || fail "openssl does not take the list"
    openssl verify -crl_check -CAfile "$scratch/ca/ca.crt" -CRLfile "$scratch/ca/ca.crl" "$scratch/a.crt" >/dev/null || fail "openssl: a.crt"
    openssl verify -crl_check -CAfile "$scratch/ca/ca.crt" -CRLfile "$scratch/ca/ca.crl" "$scratch/stranger.crt" 2>&1 | grep -q 'revoked' || fail "openssl: stranger.crt"
fi
everybody
us >"$scratch/text" 2>"$scratch/err" || fail "with a list: $(cat "$scratch/err" "$scratch"/*.log)"
cmp "$scratch/right" "$scratch/text" || fail "another text: $(cat "$scratch/text")"

revoke --cert "$scratch/b.crt" # a party
revoke                         # renewed: what was revoked stays so
everybody
us >"$scratch/text" 2>"$scratch/err" && fail "a revoked party takes part"
[ -s "$scratch/text" ] && fail "a token: $(cat "$scratch/text")"
grep -q 'revoked' "$scratch/coordinator.log" "$scratch/err" || fail "nobody says why: $(cat "$scratch/err" "$scratch"/*.log)"

revoke --cert "$scratch/owner.crt" # who asks
everybody
us >"$scratch/text" 2>"$scratch/err" && fail "a revoked owner is served"
grep -q 'revoked' "$scratch/err" "$scratch/coordinator.log" || fail "nobody says why: $(cat "$scratch/err" "$scratch"/*.log)"

revoke --cert "$scratch/coordinator.crt" # whom we ask
said=$("${ask[@]}" --engine mpc --coordinator "$coordinator" --ca "$scratch/trusted" --cert "$scratch/a.crt" --key "$scratch/a.key" --session "$scratch/session" 2>&1) && fail "a revoked coordinator is asked: $said"

"$eis" ca init --dir "$scratch/other" >/dev/null || fail "ca init"
expect 2 'another CA' "$eis" ca revoke --dir "$scratch/other" --cert "$scratch/a.crt"
expect 3 'PEM' "$eis" ca revoke --dir "$scratch/ca" --cert "$root/README.md"
cp "$scratch/ca/ca.crl" "$scratch/other/ca.crl"
expect 3 'no list of this CA' "$eis" ca revoke --dir "$scratch/other"
# The HTTP servers cannot look certificates up, and say so rather than let everybody in.
expect 3 'lists of revoked' "$eis" serve api --registry "$root/models/registry" --listen 127.0.0.1:0 --tls-cert "$scratch/a.crt" --tls-key "$scratch/a.key" --client-ca "$scratch/trusted"
echo ok
