#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a file lacks its licence line, when a citation such as [LN16] has no entry in BIBLIOGRAPHY.yml, or
when a relative link in a Markdown file leads nowhere."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LICENSED = {".c", ".h", ".cc", ".py", ".sh", ".cmake", ".yml", ".yaml", ".js", ".mjs"}
CITED = {".c", ".h", ".cc", ".md"}


def tracked():
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in names.stdout.splitlines() if (ROOT / name).is_file()]


def problems():
    bibliography = ROOT / "BIBLIOGRAPHY.yml"
    keys = set(re.findall(r"^(\w+):", bibliography.read_text(), re.M)) if bibliography.exists() else set()
    for path in tracked():
        name = path.relative_to(ROOT)
        wants_licence = path.suffix in LICENSED or path.name in ("CMakeLists.txt", "run")
        if not wants_licence and path.suffix != ".md":
            continue
        text = path.read_text(errors="replace")
        if wants_licence and "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.splitlines()[:3]):
            yield f"{name}: no SPDX line in its first three lines"
        if path.suffix in CITED:
            for key in re.findall(r"\[([A-Z][A-Za-z+]*\d\d)[,\]]", text):
                if key not in keys:
                    yield f"{name}: [{key}] is not in BIBLIOGRAPHY.yml"
        if path.suffix == ".md":
            for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
                if not target.startswith("../shared") and not (path.parent / target).exists():
                    yield f"{name}: link to {target} leads nowhere"


if __name__ == "__main__":
    found = list(problems())
    if found:
        print("\n".join(found))
    sys.exit(bool(found))
