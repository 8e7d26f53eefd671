#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a file under src/ includes a module that does not stand below its own (src/LAYERS, ground first).

usage: check_layers.py [SRC]     (default: src)
"""
import pathlib
import re
import sys


def read_layers(path):
    """Returns (floor of each module, the modules that a narrowed one may include)."""
    floor, only = {}, {}
    height = 0
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if "<" in line:
            module, allowed = line.split("<")
            only[module.strip()] = set(allowed.split())
        else:
            for module in line.split():
                floor[module] = height
            height += 1
    return floor, only


def module_of(path, floor):
    """engine/split/eval.h -> engine/split; kernel/x86_64/z52_avx2.c -> kernel."""
    return next((str(p) for p in pathlib.PurePosixPath(path).parents if str(p) in floor), None)


def violations(root):
    floor, only = read_layers(root / "LAYERS")
    for path in sorted(p for p in root.rglob("*") if p.suffix in {".c", ".h", ".cc"}):
        here = module_of(path.relative_to(root), floor)
        if here is None:
            yield f"{path}: its folder is not in LAYERS"
            continue
        for target in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.M):
            there = module_of(target, floor)
            if there is None and not target.startswith("eis/"):
                yield f'{path}: "{target}" is not written from the root of src/, or not in LAYERS'
            elif there and there != here and (floor[there] >= floor[here] or there not in only.get(here, floor)):
                yield f"{path}: {here}/ may not include {target}"


if __name__ == "__main__":
    found = list(violations(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "src")))
    if found:
        print("\n".join(found))
    sys.exit(bool(found))
