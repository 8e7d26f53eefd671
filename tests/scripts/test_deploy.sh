#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whoever copies these files to a host finds out there, late, what does not fit: the tools that will read them read them
# here first, and the settings are those that the program takes.
. "$(dirname "$0")/../support/cli.sh"
checked=0

if command -v docker-compose >/dev/null; then
    docker-compose -f deploy/docker-compose.yml config >"$scratch/compose" 2>"$scratch/err" || fail "compose: $(cat "$scratch/err")"
    for service in coordinator triples party-0 party-1 party-2; do grep -q "^  $service:" "$scratch/compose" || fail "no service $service"; done
    checked=1
fi

if command -v systemd-analyze >/dev/null; then
    mkdir "$scratch/units"
    for unit in deploy/systemd/*.service; do # the program is where it was built; nothing else may be complained of
        sed "s|^ExecStart=/usr/bin/eis-server|ExecStart=$eis|" "$unit" >"$scratch/units/$(basename "$unit")"
        said=$(systemd-analyze verify --man=no "$scratch/units/$(basename "$unit")" 2>&1) || fail "$unit: $said"
        [ -z "$(grep "$(basename "$unit")" <<<"$said")" ] || fail "$unit: $said"
    done
    checked=1
fi

# every setting is one that the program knows: it gets as far as the files of the certificate, which are not there
for role in party triples; do
    expect 3 'member.crt' "$eis" serve $role --config deploy/config/$role.yaml
done
expect 3 'member.crt' "$eis" serve coordinator --config deploy/config/coordinator.yaml --session "$scratch/model.session"
[ $checked -eq 1 ] || skip "neither docker-compose nor systemd-analyze"
echo ok
