# SPDX-License-Identifier: Apache-2.0
# Sourced by test_mpc_goldens.sh and test_mpc_goldens_long.sh, after cli.sh.
[ -d "$data/lm" ] || skip "../shared/data is not there"
golden=$data/lm/stories260K/golden_greedy_200steps.txt
stories_bin=(--model "$data/lm/stories260K/stories260K.bin" --tokenizer "$data/lm/stories260K/tok512.bin")

same_text() { # PARTIES TOKENS BYTES FLAGS...
    local parties=$1 tokens=$2 bytes=$3; shift 3
    timeout 600 "$eis" generate --engine mpc --parties "$parties" "${stories_bin[@]}" --prompt "" --greedy --max-tokens "$tokens" "$@" \
        2>"$scratch/err" >"$scratch/text" || fail "$parties parties: $(cat "$scratch/err")"
    head -c "$bytes" "$golden" | cmp - "$scratch/text" || fail "$parties parties tell another text: $(cat "$scratch/text")"
}

same_ids() { # PARTIES PROMPT EXPECTED
    local got
    got=$(timeout 600 "$eis" generate --engine mpc --parties "$1" --model "$data/lm/tiny-random-gpt2" --print-ids --greedy --max-tokens 6 --prompt-ids "$2") ||
        fail "gpt2 $*"
    [ "$got" = "$3" ] || fail "gpt2 of $1 parties: $got, not $3"
}
