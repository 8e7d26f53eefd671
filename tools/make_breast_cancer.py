#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes models/breast-cancer: logistic regression on nine measured features.

    tools/make_breast_cancer.py --out models/breast-cancer --data ../shared/data/tabular/breast-cancer-wisconsin.data
    tools/make_breast_cancer.py --held-out rows.csv --data ../shared/data/tabular/breast-cancer-wisconsin.data

The first command fits on four of five persons (by sample code number: some
come more than once, and nobody stands on both sides), measures on the others
and writes model.json, model.safetensors and the card. The second writes the
rows of the others as CSV with a header, the last column being the label.

Rows with a missing value are left out. The logits are -z/2 and z/2, so that
the better of two classes has a label and softmax gives the probability
1 / (1 + exp(-z)).

Debian package: python3-numpy. The same seed gives the same model file up to
the last bits of the linear algebra library.
"""

import argparse
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

import classifier_reference
import make_digits
import safetensors_file

FEATURES = ["clump_thickness", "cell_size_uniformity", "cell_shape_uniformity", "marginal_adhesion",
            "epithelial_cell_size", "bare_nuclei", "bland_chromatin", "normal_nucleoli", "mitoses"]
LABELS = ["benign", "malignant"]
CODES = {"2": 0, "4": 1}
MARGIN = 4
RIDGE = 1.0    # the price of the squared weights, on standardised features


def read_rows(path):
    """Returns the persons, features [n, 9] and classes of the complete rows."""
    with open(path, encoding="ascii") as file:
        rows = [line.strip().split(",") for line in file if line.strip() and "?" not in line]
    return (np.array([int(r[0]) for r in rows]), np.array([[float(v) for v in r[1:10]] for r in rows]),
            np.array([CODES[r[10]] for r in rows]))


def held_out(persons, seed):
    """True for the rows of every fifth person, in an order by the seed."""
    different = np.unique(persons)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(different)
    return np.isin(persons, order[:len(order) // 5])


def fit(x, y):
    """Newton's method on the logistic loss with a ridge; the intercept is free.
    Returns weights [9] and intercept."""
    x = np.hstack([x, np.ones((len(x), 1))])
    ridge = np.diag([RIDGE] * (x.shape[1] - 1) + [0.0])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ w)))
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, x.T @ (p - y) + ridge @ w)
        w -= step
        if np.abs(step).max() < 1e-12:
            return w[:-1], w[-1]
    raise RuntimeError("Newton's method did not end")


def document(mean, std):
    return {"format": "eis-classifier/1", "name": "breast-cancer",
            "input": {"shape": [len(FEATURES)], "mean": mean.tolist(), "std": std.tolist()},
            "layers": [{"op": "linear", "name": "fc", "weight": "fc.weight", "bias": "fc.bias",
                        "in": len(FEATURES), "out": len(LABELS)}],
            "labels": LABELS}


CARD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# breast-cancer

Logistic regression on nine features of a fine needle aspirate, each from 1 to 10: benign or malignant. An example for linear models, not a medical device.

| | |
|---|---|
| Layers | linear 9-2; the logits are -z/2 and z/2, so softmax gives the probability 1 / (1 + exp(-z)) of "malignant" |
| Input | {features}, standardised as `input` in `model.json` says |
| Accuracy | {right} of {tested} held-out rows, {accuracy:.2f} %; malignant taken for benign: {missed}, benign for malignant: {alarms} |
| Weights | float32, `model.safetensors`, sha256 `{sha}` |
| Trained on | {trained} rows of Breast Cancer Wisconsin (Original), UCI Machine Learning Repository, donated by W. H. Wolberg, University of Wisconsin Hospitals, Madison; CC BY 4.0. No row of it lies here |
| Licence | Apache-2.0 |

The {missing} rows with a missing value are left out. One person in five is held out, by sample code number: some persons have several rows, and nobody stands on both sides.
Fitted by Newton's method with a ridge of {ridge:g} on the standardised features. `magnitudes` are the largest logit over the training rows, rounded up to three digits and without
the margin of {margin} that stands beside it; over all inputs of 1 to 10 no logit is larger than {bound:.3g}.

Made by

    {command}

A first try, with the header and the labels of the held-out rows:

    tools/make_breast_cancer.py --held-out rows.csv --data ../shared/data/tabular/breast-cancer-wisconsin.data
    build/eis classify --model models/breast-cancer --input rows.csv --label-column class
"""


def possible(model, tensors):
    """The largest |logit| over all inputs of 1 to 10."""
    mean, std = np.array(model["input"]["mean"]), np.array(model["input"]["std"])
    w, b = (tensors[name].astype(np.float64) for name in ("fc.weight", "fc.bias"))
    ends = np.stack([w * ((v - mean) / std) for v in (1, 10)])
    return max(np.abs(ends.max(0).sum(1) + b).max(), np.abs(ends.min(0).sum(1) + b).max())


def write_card(args, model, tensors, classes, predicted, counts):
    right = int(np.sum(classes == predicted))
    card = CARD.format(
        features=", ".join(name.replace("_", " ") for name in FEATURES), right=right, tested=len(classes),
        accuracy=100 * right / len(classes), missed=int(np.sum((classes == 1) & (predicted == 0))),
        alarms=int(np.sum((classes == 0) & (predicted == 1))), trained=counts[0], missing=counts[1], ridge=RIDGE, margin=MARGIN,
        bound=possible(model, tensors), sha=safetensors_file.sha256(os.path.join(args.out, "model.safetensors")),
        command="tools/make_breast_cancer.py --out models/breast-cancer "
                f"--data ../shared/data/tabular/breast-cancer-wisconsin.data --seed {args.seed}")
    with open(os.path.join(args.out, "README.md"), "w", encoding="utf-8") as file:
        file.write(card)


def make(args, persons, x, y):
    os.makedirs(args.out, exist_ok=True)
    out = held_out(persons, args.seed)
    mean, std = x[~out].mean(0).round(3), x[~out].std(0).round(3)
    w, b = fit((x[~out] - mean) / std, y[~out])
    model = document(mean, std)
    make_digits.write_model(args.out, model)
    safetensors_file.write(os.path.join(args.out, "model.safetensors"),
                           {"fc.weight": np.stack([-w / 2, w / 2]).astype("<f4"),
                            "fc.bias": np.array([-b / 2, b / 2], "<f4")}, {"format": "pt"})

    model, tensors = classifier_reference.load(args.out)
    _, largest = classifier_reference.logits(model, tensors, x[~out])
    model["magnitudes"] = {"kind": "calibrated", "margin": MARGIN, "max": [make_digits.rounded_up(v) for v in largest]}
    make_digits.write_model(args.out, model)
    logits, _ = classifier_reference.logits(model, tensors, x[out])
    predicted = logits.argmax(1)
    print(f"accuracy {np.mean(predicted == y[out]):.4f} of {out.sum()} rows, largest {largest}")
    with open(args.data, encoding="ascii") as file:
        missing = sum("?" in line for line in file)
    write_card(args, model, tensors, y[out], predicted, (int((~out).sum()), missing))


def write_held_out(path, x, y):
    with open(path, "w", encoding="ascii") as file:
        file.write(",".join(FEATURES + ["class"]) + "\n")
        for row, label in zip(x, y):
            file.write(",".join(f"{v:g}" for v in row) + f",{LABELS[label]}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="breast-cancer-wisconsin.data")
    parser.add_argument("--out", help="the model directory")
    parser.add_argument("--held-out", metavar="FILE", help="write the held-out rows as CSV")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if not args.out and not args.held_out:
        parser.error("--out or --held-out is needed")
    persons, x, y = read_rows(args.data)
    if args.out:
        make(args, persons, x, y)
    if args.held_out:
        out = held_out(persons, args.seed)
        write_held_out(args.held_out, x[out], y[out])


if __name__ == "__main__":
    main()
