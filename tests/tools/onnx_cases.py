#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `npusim onnx-test` on the node cases of the `onnx` package, or on folders of cases.

usage: onnx_cases.py NPUSIM --node LEAST_PASSES
       onnx_cases.py NPUSIM --folders LEAST_PASSES SECONDS FOLDER...

Fails when a case fails or fewer than LEAST_PASSES pass. Exit code 77, a skip for CTest, when no Python of
this machine has the package or a folder is not there.
"""

import os
import re
import subprocess
import sys
import tempfile

SKIPPED = 77
GENERATOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gen_onnx_cases.py")


def python_with_onnx():
    """Debian installs python3-onnx for /usr/bin/python3, which need not be the first in PATH."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import onnx, numpy"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return python
    return None


def judge(npusim, folders, least, options=()):
    run = subprocess.run([npusim, "onnx-test", "-v", "--quiet", *options, *folders], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, check=False)
    lines = run.stdout.splitlines()
    totals = re.fullmatch(r"PASS (\d+) FAIL (\d+) UNSUPPORTED (\d+)", lines[-1]) if lines else None
    if not totals:
        print(f"no totals; exit {run.returncode}\n{run.stderr}")
        return 1
    print(lines[-1])
    passes, fails, others = map(int, totals.groups())
    failed = [line.split(" ", 1)[1] for line in lines if line.startswith("FAIL ")]
    for reason in run.stderr.splitlines():
        if reason.split(":", 1)[0] in failed:
            print(reason)
    if passes + fails + others != len(lines) - 1:
        print("the totals are not those of the lines")
        return 1
    if run.returncode != (1 if fails else 0):
        print(f"exit code {run.returncode} with {fails} fails")
        return 1
    if passes < least:
        print(f"fewer than {least} passes")
        return 1
    return 1 if fails else 0


def main(arguments):
    npusim, kind, least = arguments[0], arguments[1], int(arguments[2])
    if kind == "--folders":
        missing = [folder for folder in arguments[4:] if not os.path.isdir(folder)]
        if missing:
            print("skipped: there is no", ", ".join(missing))
            return SKIPPED
        return judge(npusim, arguments[4:], least, ("--seconds", arguments[3]))
    python = python_with_onnx()
    if python is None:
        print("skipped: no python3-onnx is installed")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-B", GENERATOR, folder], check=True)
        return judge(npusim, [folder], least)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
