# SPDX-License-Identifier: Apache-2.0
"""Reads and writes safetensors files: u64 length | JSON header | tensors.

Only what the project's own models need: F32 and F16, little endian. Tensors
lie in the order of the dictionary, so equal tensors give equal bytes.
"""

import hashlib
import json

import numpy as np

_NAMES = {np.dtype("<f4"): "F32", np.dtype("<f2"): "F16"}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}


def write(path, tensors, metadata):
    """Writes {name: array}; `metadata` is a flat {str: str}."""
    header, offset, blobs = {"__metadata__": metadata}, 0, []
    for name, array in tensors.items():
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)    # so that the tensors start aligned
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def read(path):
    """Returns {name: array} with the stored types."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (start + o for o in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def sha256(path):
    """The digest that the model card names."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
