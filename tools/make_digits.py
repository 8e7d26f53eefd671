#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes models/digits: a small convolution net for MNIST, and ten drawn digits.

    tools/make_digits.py --out models/digits --mnist ../shared/data/mnist
    tools/make_digits.py --out models/digits --vectors tests/vectors/digits_logits.json

The first command trains on the 60,000 training images, a little shifted,
turned and scaled each time, measures on the 10,000 test images and writes
model.json, model.safetensors, the card, and samples/ as draw_digits.py draws
them. The second changes nothing in that directory: it runs the ten samples
through the finished files in float64 (classifier_reference.py, no code shared
with the training).

Debian packages: python3-numpy, python3-torch (1.13), libopenblas0-pthread.
The same seed, library versions and kind of processor give the same files;
RUN_NOTE below says how long the shipped ones took and on what.
"""

import argparse
import json
import math
import os
import time

THREADS = 2    # part of the result: sums are split by it
os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)

import numpy as np

import classifier_reference
import draw_digits
import safetensors_file

RUN_NOTE = "It ran for 77 seconds on two threads of an AMD EPYC (Zen 3), Debian 12, torch 1.13.1, NumPy 1.24.2, OpenBLAS 0.3.21."

LABELS = [str(d) for d in range(10)]
MODEL = {
    "format": "eis-classifier/1", "name": "digits",
    "input": {"shape": [1, 28, 28], "divide": 255, "mean": 0.1307, "std": 0.3081},
    "layers": [
        {"op": "conv2d", "name": "conv1", "weight": "conv1.weight", "bias": "conv1.bias",
         "in": 1, "out": 8, "kernel": [5, 5], "stride": [2, 2], "padding": [2, 2]},
        {"op": "batch_norm", "name": "norm1", "weight": "norm1.weight", "bias": "norm1.bias",
         "mean": "norm1.running_mean", "variance": "norm1.running_var", "eps": 1e-5},
        {"op": "relu"},
        {"op": "avg_pool", "kernel": [2, 2], "stride": [2, 2]},
        {"op": "flatten"},
        {"op": "linear", "name": "fc1", "weight": "fc1.weight", "bias": "fc1.bias", "in": 392, "out": 64},
        {"op": "relu"},
        {"op": "linear", "name": "fc2", "weight": "fc2.weight", "bias": "fc2.bias", "in": 64, "out": 10}],
    "labels": LABELS,
}
MARGIN = 4    # stands in "magnitudes" beside the largest values seen; engines multiply by it


# -- training (torch) -------------------------------------------------------

def network(torch):
    """The layers of MODEL; the names of the tensors are the same."""
    nn = torch.nn
    return nn.ModuleDict({
        "conv1": nn.Conv2d(1, 8, 5, stride=2, padding=2), "norm1": nn.BatchNorm2d(8),
        "fc1": nn.Linear(392, 64), "fc2": nn.Linear(64, 10)})


def forward(torch, net, x):
    f = torch.nn.functional
    x = f.avg_pool2d(f.relu(net["norm1"](net["conv1"](x))), 2)
    return net["fc2"](f.relu(net["fc1"](x.flatten(1))))


def prepare(torch, images):
    given = MODEL["input"]
    x = torch.from_numpy(images.astype(np.float32)).unsqueeze(1)
    return (x / given["divide"] - given["mean"]) / given["std"]


def disturb(torch, x):
    """Each image turned by up to 12 degrees, scaled by 0.85 to 1.15, moved by
    up to 2 pixels; what comes in from outside is background."""
    n, ground = len(x), -MODEL["input"]["mean"] / MODEL["input"]["std"]
    spread = torch.rand(n, 4) * 2 - 1
    turn, scale = spread[:, 0] * math.radians(12), 1 + 0.15 * spread[:, 1]
    shift = spread[:, 2:] * (2 / 14)    # grid_sample counts the half side as 1
    theta = torch.stack([turn.cos() * scale, -turn.sin() * scale, shift[:, 0],
                         turn.sin() * scale, turn.cos() * scale, shift[:, 1]], 1).view(n, 2, 3)
    grid = torch.nn.functional.affine_grid(theta, x.shape, align_corners=False)
    return torch.nn.functional.grid_sample(x - ground, grid, align_corners=False) + ground


def train(images, labels, args):
    """Returns {tensor name: float32 array}."""
    import torch
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    net, x, y = network(torch), prepare(torch, images), torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=1e-3)
    steps = args.epochs * (len(x) // args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, steps)
    start = time.time()
    for epoch in range(args.epochs):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(x))[:len(x) // args.batch * args.batch].view(-1, args.batch):
            loss = torch.nn.functional.cross_entropy(forward(torch, net, disturb(torch, x[rows])), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}  loss {total * args.batch / len(x):.4f}  {time.time() - start:5.0f} s", flush=True)
    return {name: t.numpy() for name, t in net.state_dict().items() if t.dtype == torch.float32}


# -- after training: everything in float64 from the written files ------------

def run(folder, images):
    model, tensors = classifier_reference.load(folder)
    parts = [classifier_reference.logits(model, tensors, images[i:i + 1000]) for i in range(0, len(images), 1000)]
    return np.concatenate([p[0] for p in parts]), np.max([p[1] for p in parts], 0)


def margins(logits, labels):
    """Logit of the right class minus the best of the others."""
    right = logits[np.arange(len(logits)), labels]
    others = logits.copy()
    others[np.arange(len(logits)), labels] = -np.inf
    return right - others.max(1)


def samples(folder):
    return np.stack([draw_digits.read_pgm(os.path.join(folder, "samples", f"{d}.pgm")) for d in range(10)])


def write_samples(folder):
    os.makedirs(os.path.join(folder, "samples"), exist_ok=True)
    for digit in range(10):
        draw_digits.write_pgm(os.path.join(folder, "samples", f"{digit}.pgm"), draw_digits.draw(digit))
    with open(os.path.join(folder, "samples", "labels.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(LABELS) + "\n")


def rounded_up(value):
    """Three digits, never below the value."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.ceil(value / unit) * unit:.3g}")


def write_model(folder, model):
    """One line per layer, as in the documents."""
    layers = ",\n".join("    " + json.dumps(layer) for layer in model["layers"])
    rest = "".join(f',\n  {json.dumps(k)}: {json.dumps(model[k])}' for k in ("labels", "magnitudes") if k in model)
    with open(os.path.join(folder, "model.json"), "w", encoding="utf-8") as file:
        file.write(f'{{ "format": {json.dumps(model["format"])}, "name": {json.dumps(model["name"])},\n'
                   f'  "input": {json.dumps(model["input"])},\n  "layers": [\n{layers} ]{rest} }}\n')


CARD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# digits

A classifier for handwritten digits, {parameters:,} parameters, so that a private classification can be tried without a download.

| | |
|---|---|
| Layers | conv 5x5 stride 2 (1 to 8), batch norm, ReLU, average pool 2, linear 392-64, ReLU, linear 64-10 |
| Input | 28x28 grey, white on black: (x / 255 - 0.1307) / 0.3081 |
| Accuracy | {accuracy:.2f} % of the 10,000 MNIST test images |
| Weights | float32, `model.safetensors`, sha256 `{sha}` |
| Trained on | the 60,000 MNIST training images (LeCun, Cortes, Burges), a little shifted, turned and scaled; none of them lies here |
| Licence | Apache-2.0 |

`samples/` holds ten digits drawn by `tools/draw_digits.py`, no part of MNIST and never trained on, each with its label in `labels.txt`. All ten are recognised, the
closest with a margin of {margin:.1f} between the logits of the right class and of the next. `magnitudes` in `model.json` are the largest values of each layer over the
training images as they are, rounded up to three digits and without the margin of {times} that stands beside them.

Made by

    {command}

{run_note}
The same command gives the same bytes on the same kind of processor with the same library versions.
"""


def write_card(folder, accuracy, margin, args):
    path = os.path.join(folder, "model.safetensors")
    card = CARD.format(
        parameters=sum(t.size for t in safetensors_file.read(path).values()), accuracy=100 * accuracy,
        sha=safetensors_file.sha256(path), margin=margin, times=MARGIN, run_note=RUN_NOTE,
        command=f"tools/make_digits.py --out models/digits --mnist ../shared/data/mnist --seed {args.seed} --epochs {args.epochs}")
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as file:
        file.write(card)


def make(args):
    def mnist(name):
        return classifier_reference.read_idx(os.path.join(args.mnist, name + "-ubyte.gz"))
    images, labels = mnist("train-images-idx3"), mnist("train-labels-idx1")
    weights = train(images, labels, args)
    write_samples(args.out)
    write_model(args.out, MODEL)
    safetensors_file.write(os.path.join(args.out, "model.safetensors"), weights, {"format": "pt"})

    _, largest = run(args.out, images)
    bounds = [rounded_up(v) for v in largest]
    write_model(args.out, MODEL | {"magnitudes": {"kind": "calibrated", "margin": MARGIN, "max": bounds}})
    test_logits, _ = run(args.out, mnist("t10k-images-idx3"))
    accuracy = np.mean(test_logits.argmax(1) == mnist("t10k-labels-idx1"))
    drawn = margins(run(args.out, samples(args.out))[0], np.arange(10))
    print(f"accuracy {100 * accuracy:.2f} %, margins of the drawn digits", drawn.round(2).tolist())
    write_card(args.out, accuracy, drawn.min(), args)


def write_vectors(folder, path):
    logits, _ = run(folder, samples(folder))
    document = {"model_sha256": safetensors_file.sha256(os.path.join(folder, "model.safetensors")),
                "files": [f"{d}.pgm" for d in range(10)], "classes": logits.argmax(1).tolist(),
                "logits": logits.tolist()}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="the model directory")
    parser.add_argument("--mnist", help="directory of the four MNIST idx files, gzipped")
    parser.add_argument("--vectors", metavar="FILE", help="write test vectors of the finished model and stop")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rate", type=float, default=4e-3)
    args = parser.parse_args()
    if args.vectors:
        write_vectors(args.out, args.vectors)
    elif args.mnist:
        make(args)
    else:
        parser.error("--mnist is needed to train")


if __name__ == "__main__":
    main()
