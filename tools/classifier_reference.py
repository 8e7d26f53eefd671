# SPDX-License-Identifier: Apache-2.0
"""Runs a classifier directory (model.json, safetensors) in float64 NumPy.

A second implementation of every layer, written to be read and not to be fast:
the test vectors of models/digits come from it, and the model.json files of
tests/models were checked with it against the reference logits:

    tools/classifier_reference.py tests/models/onnx_mnist_cnn \\
        --weights ../shared/data/classifiers/onnx_mnist_cnn.safetensors \\
        --images ../shared/data/mnist/t10k-images-idx3-ubyte.gz --limit 256 \\
        --goldens ../shared/data/classifiers/onnx_mnist_cnn.logits_t10k_first256.f32.npy

Debian package: python3-numpy.
"""

import argparse
import gzip
import json
import os

import numpy as np

import safetensors_file


def read_idx(path):
    """The bytes of an idx file, gzip or not, in its shape."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(rank)]
    return np.frombuffer(data[4 + 4 * rank:], np.uint8).reshape(shape)


def windows(x, kernel, stride, padding, fill):
    """[n, c, h, w] -> [n, c, out_h, out_w, kh, kw]"""
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))
    return view[:, :, ::sh, ::sw]


def _pool(x, layer, fill):
    kernel = layer["kernel"]
    return windows(x, kernel, layer.get("stride", kernel), layer.get("padding", [0, 0]), fill)


def apply_layer(x, layer, tensors):
    """One layer on a batch; x is [n, features] or [n, channels, h, w]."""
    def tensor(member):
        return tensors[layer[member]].astype(np.float64)

    def per_channel(v):
        return v.reshape((1, -1) + (1,) * (x.ndim - 2))

    op = layer["op"]
    if op == "linear":
        w = tensor("weight")
        y = x @ (w if layer.get("layout", "out_in") == "in_out" else w.T)
        return y + tensor("bias").reshape(-1) if "bias" in layer else y
    if op == "conv2d":
        w = tensor("weight").reshape(layer["out"], layer["in"], *layer["kernel"])
        view = windows(x, layer["kernel"], layer["stride"], layer["padding"], 0)
        y = np.einsum("nchwij,ocij->nohw", view, w, optimize=True)
        return y + tensor("bias").reshape(1, -1, 1, 1) if "bias" in layer else y
    if op == "batch_norm":
        scale = tensor("weight") / np.sqrt(tensor("variance") + layer.get("eps", 1e-5))
        return x * per_channel(scale) + per_channel(tensor("bias") - tensor("mean") * scale)
    if op == "relu":
        return np.maximum(x, 0)
    if op == "square":
        return x * x
    if op == "flatten":
        return x.reshape(len(x), -1)
    if op == "avg_pool":
        return _pool(x, layer, 0).mean((-1, -2))
    if op == "max_pool":
        return _pool(x, layer, -np.inf).max((-1, -2))
    raise ValueError(f"no such layer here: {op}")


def logits(model, tensors, images):
    """[n, 28, 28] pixels -> [n, classes], and the largest |output| per layer."""
    given = model["input"]
    x = (images.astype(np.float64) / given.get("divide", 1) - given.get("mean", 0)) / given.get("std", 1)
    x, largest = x.reshape(len(images), *given["shape"]), []
    for layer in model["layers"]:
        x = apply_layer(x, layer, tensors)
        largest.append(float(np.abs(x).max()))
    return x, largest


def load(folder, weights=None):
    with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
        model = json.load(file)
    return model, safetensors_file.read(weights or os.path.join(folder, "model.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--weights")
    parser.add_argument("--images", required=True)
    parser.add_argument("--labels")
    parser.add_argument("--goldens", help="reference logits (.npy)")
    parser.add_argument("--limit", type=int, default=10000)
    args = parser.parse_args()
    model, tensors = load(args.folder, args.weights)
    images = read_idx(args.images)[:args.limit]
    parts = [logits(model, tensors, images[i:i + 500]) for i in range(0, len(images), 500)]
    result = np.concatenate([p[0] for p in parts])
    print(model["name"], "largest output per layer:", np.max([p[1] for p in parts], 0).round(3).tolist())
    if args.labels:
        print("accuracy", np.mean(result.argmax(1) == read_idx(args.labels)[:args.limit]))
    if args.goldens:
        golden = np.load(args.goldens).astype(np.float64)[:len(result)]
        error = np.linalg.norm(result[:len(golden)] - golden, axis=1) / np.linalg.norm(golden, axis=1)
        print("largest relative L2 distance to the goldens", error.max())


if __name__ == "__main__":
    main()
