# SPDX-License-Identifier: Apache-2.0
# Sourced by test_cli_goldens.sh and test_cli_goldens_long.sh, after cli.sh.
[ -d "$data/lm" ] || skip "../shared/data is not there"
golden=$data/lm/stories260K/golden_greedy_200steps.txt
tokenizer=$data/lm/stories260K/tok512.bin

same_text() { # TOKENS BYTES FLAGS...
    local tokens=$1 bytes=$2; shift 2
    "$eis" generate "$@" --prompt "" --greedy --max-tokens "$tokens" 2>"$scratch/err" >"$scratch/text" || fail "$*: $(cat "$scratch/err")"
    head -c "$bytes" "$golden" | cmp - "$scratch/text" || fail "another text with $*"
}

same_ids() { # EXPECTED FLAGS...
    local expected=$1 got; shift
    got=$("$eis" generate --model "$data/lm/tiny-random-gpt2" --print-ids --greedy --max-tokens 6 "$@") || fail "gpt2 $*"
    [ "$got" = "$expected" ] || fail "gpt2 $*: $got, not $expected"
}

check_goldens() { # TOKENS BYTES
    local bin=(--model "$data/lm/stories260K/stories260K.bin" --tokenizer "$tokenizer")
    local hf=(--model "$data/lm/stories260K-hf" --tokenizer "$tokenizer")
    local engine
    same_text "$1" "$2" --engine plain "${bin[@]}"
    same_text "$1" "$2" --engine plain "${hf[@]}"
    same_text "$1" "$2" --engine split "${bin[@]}"
    same_text "$1" "$2" --engine split "${hf[@]}"
    same_text "$1" "$2" --engine split "${bin[@]}" --shares 3
    same_text "$1" "$2" --engine split "${bin[@]}" --threshold 2 --shares 3
    same_text "$1" "$2" --engine split "${bin[@]}" --verify
    same_text "$1" "$2" --engine split "${bin[@]}" --threshold 2 --shares 3 --verify
    same_text "$1" "$2" --engine split "${bin[@]}" --prefetch "$1"
    same_text "$1" "$2" --engine split "${bin[@]}" --truncate
    "$eis" partition "${bin[@]}" --out "$scratch/parts" >/dev/null || fail "partition"
    same_text "$1" "$2" --engine split --model "$scratch/parts/client.eispart"
    for engine in plain split; do
        same_ids 0,0,0,52,204,204,204,204,204,204 --engine $engine --prompt-ids 0,0,0,52
        same_ids 0,0,195,731,731,114,114,114,114,114 --engine $engine --prompt-ids 0,0,195,731
    done
}
