# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests on MNIST; test_he_mnist.sh takes the beginning alone. Classifies LIMIT test images with three
# published nets, in plain and on split servers. The class must be the same for every image, the accuracy that of the
# goldens (when all images are taken), the logits of the first 256 those that the nets' makers got.
set -u
root=${EIS_TEST_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
eis=${EIS_TEST_BUILD:-$root/build}/eis
data=$root/../shared/data
[ -x "$eis" ] || { echo "SKIP: $eis is not built"; exit 77; }
[ -d "$data/mnist" ] || { echo "SKIP: ../shared/data is not there"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

classify() { # NET ENGINE LIMIT OUT [FLAGS]: text lines to OUT, accuracy to OUT.accuracy
    local net=$1 engine=$2 limit=$3 out=$4; shift 4
    "$eis" classify --engine "$engine" --model "$root/tests/models/$net" --weights "$data/classifiers/$net.safetensors" \
        --input "$data/mnist/t10k-images-idx3-ubyte.gz" --labels "$data/mnist/t10k-labels-idx1-ubyte.gz" \
        --limit "$limit" --batch 32 "$@" >"$out" 2>"$out.accuracy" || fail "$net by $engine: $(cat "$out.accuracy")"
}

check_net() { # NET LIMIT ACCURACY-OF-ALL
    local net=$1 limit=$2 accuracy=$3
    classify "$net" plain "$limit" "$scratch/plain"
    classify "$net" split "$limit" "$scratch/split"
    cmp "$scratch/plain" "$scratch/split" || fail "$net: a class differs between plain and split"
    if [ "$limit" -eq 10000 ]; then
        grep -q "($accuracy %)" "$scratch/split.accuracy" || fail "$net: $(cat "$scratch/split.accuracy"), not $accuracy %"
    fi
    for engine in plain split; do
        classify "$net" "$engine" "$((limit < 256 ? limit : 256))" "$scratch/json" --json
        python3 "$root/tools/compare_logits.py" "$data/classifiers/$net.logits_t10k_first256.f32.npy" 1e-5 <"$scratch/json" ||
            fail "$net by $engine: logits are not those of the reference"
    done
    echo "ok $net: $limit images, $(cat "$scratch/split.accuracy")"
}

check_all() { # LIMIT
    check_net crypten_tfe_a "$1" 97.71
    check_net onnx_mnist_cnn "$1" 98.91
    check_net tenseal_convmnist_square "$1" 97.77
}
