#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes models/digits-square: an MNIST net of products and squares alone.

    tools/make_digits_square.py --out models/digits-square --mnist ../shared/data/mnist

A ciphertext of CKKS can be added and multiplied and nothing else, so x * x is
the only activation: conv 7x7 stride 3, square, linear, square, linear, five
levels of products. Trained like models/digits (make_digits.py: the same
disturbed images, the same measures afterwards), but with cut gradients and
with a price on large values between the layers, since two squares make both
training and the room above the scale of a ciphertext a matter of magnitude.

Debian packages: python3-numpy, python3-torch (1.13), libopenblas0-pthread.
The same seed, library versions and kind of processor give the same files;
RUN_NOTE below says how long the shipped ones took and on what.
"""

import argparse
import os
import time

import make_digits    # sets the number of threads, which is part of the result
import numpy as np

import classifier_reference
import safetensors_file

RUN_NOTE = "It ran for 71 seconds on two threads of an AMD EPYC (Zen 3), Debian 12, torch 1.13.1, NumPy 1.24.2, OpenBLAS 0.3.21."

MODEL = {
    "format": "eis-classifier/1", "name": "digits-square", "input": make_digits.MODEL["input"],
    "layers": [
        {"op": "conv2d", "name": "conv1", "weight": "conv1.weight", "bias": "conv1.bias",
         "in": 1, "out": 4, "kernel": [7, 7], "stride": [3, 3], "padding": [0, 0]},
        {"op": "square"},
        {"op": "flatten"},
        {"op": "linear", "name": "fc1", "weight": "fc1.weight", "bias": "fc1.bias", "in": 256, "out": 64},
        {"op": "square"},
        {"op": "linear", "name": "fc2", "weight": "fc2.weight", "bias": "fc2.bias", "in": 64, "out": 10}],
    "labels": make_digits.LABELS,
}
MARGIN = 4      # what an engine should allow for over the largest values seen
PRICE = 1e-3    # of the mean squared output of each weighted layer, in the loss


def network(torch):
    """The weighted layers of MODEL; the names of the tensors are the same."""
    nn = torch.nn
    return nn.ModuleDict({"conv1": nn.Conv2d(1, 4, 7, stride=3), "fc1": nn.Linear(256, 64), "fc2": nn.Linear(64, 10)})


def forward(net, x):
    """Returns the logits and the mean squared output, summed over the layers."""
    conv = net["conv1"](x)
    hidden = net["fc1"]((conv * conv).flatten(1))
    logits = net["fc2"](hidden * hidden)
    return logits, sum((y * y).mean() for y in (conv, hidden, logits))


def train(images, labels, args):
    """Returns {tensor name: float32 array}."""
    import torch
    torch.set_num_threads(make_digits.THREADS)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    net, x = network(torch), make_digits.prepare(torch, images)
    y = torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, args.epochs * (len(x) // args.batch))
    start = time.time()
    for epoch in range(args.epochs):
        total = 0.0
        for rows in torch.randperm(len(x))[:len(x) // args.batch * args.batch].view(-1, args.batch):
            logits, size = forward(net, make_digits.disturb(torch, x[rows]))
            loss = torch.nn.functional.cross_entropy(logits, y[rows]) + PRICE * size
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}  loss {total * args.batch / len(x):.4f}  {time.time() - start:5.0f} s", flush=True)
    return {name: t.numpy() for name, t in net.state_dict().items()}


CARD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# digits-square

A classifier for handwritten digits for computing on ciphertexts, {parameters:,} parameters: its only activation is the square.

| | |
|---|---|
| Layers | conv 7x7 stride 3 (1 to 4), square, linear 256-64, square, linear 64-10: five products deep |
| Input | 28x28 grey, white on black: (x / 255 - 0.1307) / 0.3081 |
| Accuracy | {accuracy:.2f} % of the 10,000 MNIST test images |
| Weights | float32, `model.safetensors`, sha256 `{sha}` |
| Trained on | the 60,000 MNIST training images (LeCun, Cortes, Burges), a little shifted, turned and scaled; none of them lies here |
| Licence | Apache-2.0 |

`magnitudes` in `model.json` are the largest values of each layer over the training images as they are, rounded up to three digits and without
the margin of {margin} that stands beside them; over the test images the largest are {test_largest}. Inputs that are no digits can go
beyond any of these bounds. {drawn} of the ten drawn digits in [models/digits/samples](../digits/samples) are recognised.

Made by

    {command}

{run_note}
The same command gives the same bytes on the same kind of processor with the same library versions. A first try:

    build/eis classify --model models/digits-square --input models/digits/samples/3.pgm
"""


def write_card(args, accuracy, test_largest, drawn):
    path = os.path.join(args.out, "model.safetensors")
    card = CARD.format(
        parameters=sum(t.size for t in safetensors_file.read(path).values()), accuracy=100 * accuracy,
        sha=safetensors_file.sha256(path), margin=MARGIN, drawn=drawn, run_note=RUN_NOTE,
        test_largest=", ".join(f"{v:.3g}" for v in test_largest),
        command=f"tools/make_digits_square.py --out models/digits-square --mnist ../shared/data/mnist --seed {args.seed} --epochs {args.epochs}")
    with open(os.path.join(args.out, "README.md"), "w", encoding="utf-8") as file:
        file.write(card)


def make(args):
    def mnist(name):
        return classifier_reference.read_idx(os.path.join(args.mnist, name + "-ubyte.gz"))
    os.makedirs(args.out, exist_ok=True)
    images = mnist("train-images-idx3")
    weights = train(images, mnist("train-labels-idx1"), args)
    make_digits.write_model(args.out, MODEL)
    safetensors_file.write(os.path.join(args.out, "model.safetensors"), weights, {"format": "pt"})

    _, largest = make_digits.run(args.out, images)
    bounds = [make_digits.rounded_up(v) for v in largest]
    make_digits.write_model(args.out, MODEL | {"magnitudes": {"kind": "calibrated", "margin": MARGIN, "max": bounds}})
    logits, test_largest = make_digits.run(args.out, mnist("t10k-images-idx3"))
    accuracy = np.mean(logits.argmax(1) == mnist("t10k-labels-idx1"))
    drawn = make_digits.run(args.out, make_digits.samples(args.samples))[0].argmax(1) == np.arange(10)
    print(f"accuracy {100 * accuracy:.2f} %, {drawn.sum()} of the drawn digits, largest {bounds}")
    write_card(args, accuracy, test_largest, "All" if drawn.all() else str(drawn.sum()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="the model directory")
    parser.add_argument("--mnist", required=True, help="directory of the four MNIST idx files, gzipped")
    parser.add_argument("--samples", default="models/digits", help="the directory that holds samples/ of drawn digits")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rate", type=float, default=4e-3)
    make(parser.parse_args())


if __name__ == "__main__":
    main()
