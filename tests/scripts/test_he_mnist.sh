#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# If a digit that was encrypted, sent and computed on elsewhere became another one, nobody would encrypt digits: through
# the command line and a server of its own, nets with squares on one input and ReLU nets in rounds, against the plain
# engine. (Many more images, without HTTP between: tests/e2e/test_he_mnist_long.c.)
. "$(dirname "$0")/../support/mnist.sh"

check() { # MODEL LIMIT WEIGHTS [FLAGS]
    local model=$1 limit=$2 weights=$3; shift 3
    local common=(--model "$root/$model" --input "$data/mnist/t10k-images-idx3-ubyte.gz" --limit "$limit")
    [ -z "$weights" ] || common+=(--weights "$data/classifiers/$weights.safetensors")
    "$eis" classify --engine plain "${common[@]}" >"$scratch/plain" 2>"$scratch/error" || fail "$model in plain: $(cat "$scratch/error")"
    "$eis" classify --engine he "${common[@]}" "$@" >"$scratch/he" 2>"$scratch/error" || fail "$model by he: $(cat "$scratch/error")"
    [ "$(wc -l <"$scratch/he")" -eq "$limit" ] || fail "$model: not $limit lines"
    cmp "$scratch/plain" "$scratch/he" || fail "$model: a class differs between plain and he"
    echo "ok $model $*: $limit images"
}

check models/digits-square 5 ""
check tests/models/tenseal_convmnist_square 5 tenseal_convmnist_square
check models/digits 5 "" --interactive
check tests/models/crypten_tfe_a 5 crypten_tfe_a --interactive
