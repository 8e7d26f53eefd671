#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every libFuzzer target over its corpus and then for a number of seconds; several at once.

usage: run_fuzz.py --build DIR --seconds N
Exit 1 when a target found something; what it found lies in DIR/findings/.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run_target(program, seconds, findings):
    corpus = ROOT / "fuzz" / "corpus" / program.name.removeprefix("fuzz_")
    work = pathlib.Path(tempfile.mkdtemp(prefix="eis-fuzz-"))
    try:
        command = [str(program), f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=65536",
                   f"-artifact_prefix={findings}/{program.name}-", "-print_final_stats=1", str(work)]
        if corpus.is_dir():
            command.append(str(corpus))
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=seconds + 300)
        return program.name, done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return program.name, 1, "did not end in time"
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    programs = sorted(p for p in options.build.glob("fuzz_*") if p.is_file() and os.access(p, os.X_OK))
    sources = sorted((ROOT / "fuzz").glob("fuzz_*.c"))
    findings = options.build / "findings"
    findings.mkdir(exist_ok=True)
    failed = len(sources) - len(programs)
    if failed:
        print(f"{failed} fuzz targets were not built")
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        jobs = [threads.submit(run_target, program, options.seconds, findings) for program in programs]
        for job in concurrent.futures.as_completed(jobs):
            name, code, output = job.result()
            runs = next((line.split(":")[-1].strip() for line in output.splitlines()
                         if line.startswith("stat::number_of_executed_units")), "?")
            print(f"{'ok  ' if code == 0 else 'FAIL'} {name}: {runs} inputs", flush=True)
            if code != 0:
                failed += 1
                print("\n".join(output.splitlines()[-40:]))
    print(f"fuzz: {len(sources) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not programs else 0)


if __name__ == "__main__":
    main()
