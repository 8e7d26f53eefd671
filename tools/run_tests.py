#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests in two tiers and counts single tests, not programs.

usage: run_tests.py [--all]

  (default)  gcc with ASan + UBSan, clang release, constant time at -O2, every fuzz target over its corpus and 5 s
  --all      both compilers in both builds, the long runs, constant time at four levels with both compilers, fuzz 60 s

The last line is `N passed, N failed, N skipped`; a skipped test says why and is never a passed one.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
JOBS = str(os.cpu_count() or 2)


class Tally:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []
        self.failures = []

    def fail(self, what):
        self.failed += 1
        self.failures.append(what)


def say(text):
    print(f"\n== {text}", flush=True)


def run(command, env=None, quiet=True):
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})}, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if quiet else None,
                          stderr=subprocess.STDOUT if quiet else None)
    return done.returncode, done.stdout or ""


def build(tally, preset, directory=None, extra=(), target="all"):
    where = ["-B", directory] if directory else []
    code, output = run(["cmake", "--preset", preset, *where, *extra])
    if code == 0:
        directory = directory or ("build" if preset == "release" else f"build-{preset}")
        code, output = run(["cmake", "--build", directory, "-j", JOBS, "--target", target])
    if code != 0:
        print("\n".join(output.splitlines()[-60:]))
        tally.fail(f"build of {preset}")
    return code == 0


def count_program(tally, stage, name, status, output):
    """Counts the single tests inside one program's output; a script or a crash counts as one."""
    passed = len(re.findall(r"^\[       OK \]", output, re.M))
    failed = re.findall(r"^\[  FAILED  \] (?!\d+ test)(\S+)", output, re.M)
    skipped = set(re.findall(r"^\[  SKIPPED \] (?!\d+ test)(\S+)", output, re.M))
    reasons = re.findall(r"^\s*(?:skip|SKIP)\w*:\s*(.+)$", output, re.M)
    if status == "Skipped":
        tally.skipped.append(f"{stage}: {name}: {reasons[-1] if reasons else 'no reason given'}")
    elif status == "Passed" or failed:
        tally.passed += passed if passed or skipped else (status == "Passed")
        for test in skipped:
            tally.skipped.append(f"{stage}: {name}: {test}: {reasons[0] if reasons else 'no reason given'}")
        for test in sorted(set(failed)):
            tally.fail(f"{stage}: {name}: {test}")
    else:
        tally.fail(f"{stage}: {name} ({status})")
    if status not in ("Passed", "Skipped"):
        print(f"---- {name}: {status}\n" + "\n".join(output.splitlines()[-60:]), flush=True)


def ctest(tally, stage, directory, arguments=(), env=None):
    say(stage)
    started = time.monotonic()
    # The log calls a test that ended with the code for "skipped" passed; only what ctest prints tells them apart.
    _, printed = run(["ctest", "--test-dir", directory, "-j", JOBS, *arguments], env=env)
    skipped = set(re.findall(r"Test +#\d+: (\S+) .*\*\*\*Skipped", printed))
    log = (ROOT / directory / "Testing" / "Temporary" / "LastTest.log").read_text(errors="replace")
    programs = 0
    for part in re.split(r"^(?=\d+/\d+ Testing: )", log, flags=re.M)[1:]:
        name = re.search(r"Testing: (\S+)", part).group(1)
        status = re.search(r"^Test (Passed|Failed|Skipped|Not Run|Timeout)", part, re.M)
        output = part.split("Output:\n", 1)[-1].split("<end of output>")[0]
        ended = "Skipped" if name in skipped else status.group(1) if status else "did not end normally"
        count_program(tally, stage, name, ended, output)
        programs += 1
    if programs == 0:
        tally.fail(f"{stage}: no test ran")
    print(f"{programs} programs in {time.monotonic() - started:.0f} s", flush=True)


def constant_time(tally, compiler, level):
    stage = f"constant time, {compiler} {level}"
    say(stage)
    cxx = {"gcc": "g++", "clang": "clang++"}[compiler]
    directory = f"build-ct-{compiler}{level}"
    if not build(tally, "ct", directory, [f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_CXX_COMPILER={cxx}",
                                         f"-DCMAKE_C_FLAGS={level} -g -gdwarf-4"], "tests"):
        return
    programs = sorted((ROOT / directory).glob("test.ct.*"))
    if not programs:
        tally.fail(f"{stage}: no program")
    for program in programs:
        code, output = run(["valgrind", "-q", "--error-exitcode=9", str(program)], env={"EIS_TEST_ROOT": str(ROOT)})
        count_program(tally, stage, program.name, "Passed" if code == 0 else "Failed", output)


def fuzz(tally, seconds):
    say(f"fuzz targets over their corpora and {seconds} s each")
    if not build(tally, "fuzz", target="fuzzers"):
        return
    code, output = run(["python3", "tools/run_fuzz.py", "--build", str(ROOT / "build-fuzz"), "--seconds", str(seconds)])
    print(output, flush=True)
    tally.passed += len(re.findall(r"^ok ", output, re.M))
    for name in re.findall(r"^FAIL (\S+):", output, re.M):
        tally.fail(f"fuzz: {name}")
    if code != 0 and "FAIL " not in output:
        tally.fail("fuzz")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true")
    everything = parser.parse_args().all
    tally = Tally()
    selection = [] if everything else ["-LE", "long"]
    started = time.monotonic()

    if build(tally, "dev"):
        ctest(tally, "gcc, ASan + UBSan", "build-dev", selection)
    if build(tally, "release-clang"):
        ctest(tally, "clang, release", "build-release-clang", selection)
    if everything:
        if build(tally, "dev-clang"):
            ctest(tally, "clang, ASan + UBSan", "build-dev-clang", ["-LE", "long"])
        if build(tally, "release"):
            ctest(tally, "gcc, release", "build", selection)
    for compiler, level in ([(c, o) for c in ("gcc", "clang") for o in ("-O1", "-O2", "-O3", "-Os")] if everything
                            else [("gcc", "-O2")]):
        constant_time(tally, compiler, level)
    fuzz(tally, 60 if everything else 5)

    if tally.skipped:
        say("skipped, with reasons")
        print("\n".join(sorted(set(tally.skipped))))
    if tally.failures:
        say("failed")
        print("\n".join(tally.failures))
    print(f"\ntook {(time.monotonic() - started) / 60:.1f} minutes")
    print(f"{tally.passed} passed, {tally.failed} failed, {len(tally.skipped)} skipped")
    sys.exit(1 if tally.failed or tally.passed == 0 else 0)


if __name__ == "__main__":
    main()
