#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everybody runs their own process, as they would on hosts of their own: a coordinator, a Triple Service and two
# parties; an owner asks by `eis generate --coordinator`. The owner checks that the session that is opened is the one
# that was agreed on.
. "$(dirname "$0")/../support/cli.sh"
. "$(dirname "$0")/../support/mpc_hosts.sh"
start dealer triples; dealer=$address
start a party; a=$address
start b party; b=$address
agree "$scratch/stories.session" --model "stories=$stories"
agree "$scratch/other.session" --model "stories=$stories" --set cheby.deg=9
start coordinator coordinator --session "$scratch/stories.session"; coordinator=$address

us=(--engine mpc --coordinator "$coordinator" --ca "$scratch/ca/ca.crt" --cert "$scratch/owner.crt" --key "$scratch/owner.key")
ask=("$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 6)
"${ask[@]}" >"$scratch/right" || fail "plain"
for _ in 1 2; do # one session after the other
    timeout 120 "${ask[@]}" "${us[@]}" --session "$scratch/stories.session" >"$scratch/text" 2>"$scratch/err" || fail "$(cat "$scratch/err" "$scratch/coordinator.log")"
    cmp "$scratch/right" "$scratch/text" || fail "another text: $(cat "$scratch/text")"
done

expect 5 'another session than the one that was agreed on' "$eis" generate --model "$stories" --prompt-ids 1 --max-tokens 1 "${us[@]}" --session "$scratch/other.session"
expect 2 'another owner of prompts' "$eis" generate --model "$stories" --prompt-ids 1 --max-tokens 1 --engine mpc --coordinator "$coordinator" --ca "$scratch/ca/ca.crt" \
    --cert "$scratch/stranger.crt" --key "$scratch/stranger.key" --session "$scratch/stories.session"
expect 4 '' "$eis" generate --model "$stories" --prompt-ids 1 --max-tokens 1 --engine mpc --coordinator 127.0.0.1:1 --ca "$scratch/ca/ca.crt" \
    --cert "$scratch/owner.crt" --key "$scratch/owner.key" --session "$scratch/stories.session"
expect 2 'go together' "$eis" generate --model "$stories" --prompt-ids 1 "${us[@]}"
expect 2 'needs --session, --ca, --cert and --key' "$eis" generate --model "$stories" --prompt-ids 1 --engine mpc --coordinator "$coordinator" --session "$scratch/stories.session"
expect 3 'nowhere' "$eis" generate --model "$stories" --prompt-ids 1 "${us[@]}" --session "$scratch/nowhere"
expect 3 'right' "$eis" generate --model "$stories" --prompt-ids 1 "${us[@]}" --session "$scratch/right"
echo ok
