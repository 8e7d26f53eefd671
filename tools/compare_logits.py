#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the logits of `eis classify --json` with a float32 .npy file of reference logits.

usage: compare_logits.py REFERENCE.npy TOLERANCE < LINES
Exit 1 when an image's relative L2 distance is above the tolerance, or nothing could be compared.
"""
import ast
import json
import math
import struct
import sys


def read_npy(path):
    """Returns the rows of a two-dimensional little-endian float32 array."""
    with open(path, "rb") as file:
        if file.read(6) != b"\x93NUMPY":
            sys.exit(f"{path}: not a .npy file")
        major = file.read(2)[0]
        length = struct.unpack("<H" if major == 1 else "<I", file.read(2 if major == 1 else 4))[0]
        header = ast.literal_eval(file.read(length).decode("latin-1"))
        if header["descr"] != "<f4" or header["fortran_order"]:
            sys.exit(f"{path}: not a C-ordered float32 array")
        rows, columns = header["shape"]
        values = struct.unpack(f"<{rows * columns}f", file.read(4 * rows * columns))
    return [values[i * columns:(i + 1) * columns] for i in range(rows)]


def main():
    reference, tolerance = read_npy(sys.argv[1]), float(sys.argv[2])
    worst = compared = 0
    for line in sys.stdin:
        entry = json.loads(line)
        if "logits" not in entry or entry["index"] >= len(reference):
            continue
        want = reference[entry["index"]]
        distance = math.dist(entry["logits"], want) / math.hypot(*want)
        worst, compared = max(worst, distance), compared + 1
    print(f"{compared} images, largest relative L2 distance {worst:.3g}")
    sys.exit(0 if compared > 0 and worst <= tolerance else 1)


if __name__ == "__main__":
    main()
