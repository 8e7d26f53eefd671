#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the man pages from what the programs say with --help: one table of flags, two ways to read it.

usage: make_man.py --eis build/eis --server build/eis-server --out docs/man [--check]

With --check nothing is written; exit 1 where a page is missing, superfluous or differs."""
import argparse
import os
import pathlib
import re
import subprocess
import sys

SPDX = '.\\" SPDX-License-Identifier: Apache-2.0\n.\\" Made by tools/make_man.py from --help.\n'
COMMON = {
    "EXIT STATUS": [("0", "done"), ("1", "the check that was asked for failed"), ("2", "wrong use of a command or flag"),
                    ("3", "bad input, model or file"), ("4", "a peer or the network"),
                    ("5", "integrity: a check of an answer, a digest or a certificate"), ("6", "limits or resources"),
                    ("130", "interrupted")],
    "ENVIRONMENT": [("EIS_KERNELS", "name of the kernel level to use (generic, avx2, ...) in place of the highest one"),
                    ("EIS_MODELS", "directory of the project's own models, for demo and audit"),
                    ("EIS_PORT", "default port of --http (8001)"),
                    ("EIS_D_IN, EIS_D_OUT, EIS_SEED", "shape and seed of the demo layer")],
}


def help_of(program, words):
    environment = {**os.environ, "ARGP_HELP_FMT": "rmargin=400,opt-doc-col=100", "LC_ALL": "C"}
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, env=environment, check=True)
    return done.stdout.rstrip("\n").split("\n")


def commands_of(lines):
    """The rows `  name   summary` below a line that ends in "s:"."""
    rows = []
    for line in lines[next((i for i, text in enumerate(lines) if re.match(r"(Commands|Engines):$", text)), len(lines)):]:
        match = re.match(r"  (\S+)\s+(.*)$", line)
        if match and line.startswith("  ") and not line.startswith("   "):
            rows.append(match.groups())
        elif rows and not line:
            break
    return rows


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def section(title, rows):
    return f".SH {title}\n" + "".join(f".TP\n.B {roff(name)}\n{roff(text)}\n" for name, text in rows)


def behind_options(lines):
    """Prose, and what is indented as it stands."""
    out = []
    for line in lines:
        if line.startswith("  "):
            if not out or out[-1] != "open":
                out += [".PP\n.nf\n", "open"]
            out.insert(-1, roff(line) + "\n")
            continue
        if out and out[-1] == "open":
            out[-1] = ".fi\n"
        out.append(".PP\n" if not line else roff(line) + "\n")
    if out and out[-1] == "open":
        out[-1] = ".fi\n"
    return re.sub(r"(\.PP\n)+", ".PP\n", "".join(out))


def page_of_command(words, summary, lines, version):
    usage = [line.split(": ", 1)[1] for line in lines if line.startswith("Usage: ")] or [" ".join(words)]
    options, before, behind, seen = [], [], [], False
    for line in lines[1:]:
        match = re.match(r"\s+((?:-\S, )?(?:-\S|--\S+?)(?:, --\S+)?)\s{2,}(\S.*)$", line)
        if match and not (seen and behind):
            options.append(match.groups())
            seen = True
        elif not seen:
            before.append(line)
        else:
            behind.append(line)
    name = "-".join(words)
    while behind and not behind[0]:
        behind.pop(0)
    text = f'{SPDX}.TH "{name.upper()}" 1 "" "eis {version}" "Encrypted Inference Streams"\n.SH NAME\n{roff(name)} \\- {roff(summary)}\n'
    text += f".SH SYNOPSIS\n.B {roff(usage[0])}\n"
    prose = " ".join(line for line in before if line)
    if prose:
        text += f".SH DESCRIPTION\n{roff(prose)}\n"
    text += section("OPTIONS", options) + (".SH EXAMPLES\n" + behind_options(behind) if behind else "")
    return name, text + section("EXIT STATUS", COMMON["EXIT STATUS"]) + f".SH SEE ALSO\n.BR {words[0]} (1)\n"


def page_of_program(name, lines, rows, version):
    summary = lines[0].split(": ", 1)[1].rstrip(".")
    text = f'{SPDX}.TH "{name.upper()}" 1 "" "eis {version}" "Encrypted Inference Streams"\n.SH NAME\n{roff(name)} \\- {roff(summary)}\n'
    text += f".SH SYNOPSIS\n.B {roff(name)}\nCOMMAND [OPTION...]\n.SH DESCRIPTION\nEach command explains its flags with \\-\\-help.\n"
    text += section("COMMANDS", rows) + "".join(section(title, table) for title, table in COMMON.items())
    others = [f"{'eis-serve-split' if row[0] == 'serve' else 'eis-' + row[0]}" for row in rows]
    return text + ".SH SEE ALSO\n" + ",\n".join(f".BR {roff(other)} (1)" for other in others) + "\n"


def pages(options):
    version = subprocess.run([options.eis, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    made = {}
    for name, program in (("eis", options.eis), ("eis-server", options.server)):
        lines = help_of(program, [])
        made[name] = page_of_program(name, lines, commands_of(lines), version)
    for command, summary in commands_of(help_of(options.eis, [])):
        lines = help_of(options.eis, [command])
        for engine, text in commands_of(lines) if command == "serve" else [(None, summary)]:
            words = ["eis", command] + ([engine] if engine else [])
            name, page = page_of_command(words, text, help_of(options.eis, words[1:]), version)
            made[name] = page
    return {f"{name}.1": text for name, text in made.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--eis", default="build/eis")
    parser.add_argument("--server", default="build/eis-server")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs/man"))
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    made = pages(options)
    there = {path.name: path.read_text() for path in options.out.glob("*.1")}
    if options.check:
        wrong = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
        if wrong:
            print(f"man pages differ from --help: {', '.join(wrong)}; run tools/make_man.py")
        sys.exit(bool(wrong))
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (options.out / name).write_text(text)
    for name in there.keys() - made.keys():
        (options.out / name).unlink()


if __name__ == "__main__":
    main()
