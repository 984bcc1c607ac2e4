#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `npusim_bench --check` and fails on missed goals that the list of open ones does not name.

usage: check_speed.py tests/bench/open_goals.txt COMMAND...
The list has one `case yardstick: reason` a line. A goal that is not in the list and is missed is measured again, twice at most: hosts
of virtual machines are shared. Every run is printed.
"""

import re
import subprocess
import sys

from check_skips import read_expected

RUNS = 3
MISSED = re.compile(r"^MISSED\s+(\S+)\s+[\d.]+\s+(?:(?:GMAC|Gvalues)/s\s+[\d.]+ )?(.*), wanted")


def missed_goals(output):
    """The names of missed goals: `case yardstick`."""
    found = (MISSED.match(line) for line in output.splitlines())
    return {f"{match[1]} {match[2]}" for match in found if match}


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    with open(arguments[0], encoding="utf-8") as file:
        known = set(read_expected(file.read()))
    wrong = None
    for _ in range(RUNS):
        run = subprocess.run(arguments[1:], stdout=subprocess.PIPE, text=True, check=False)
        print(run.stdout, end="", flush=True)
        missed = missed_goals(run.stdout)
        if run.returncode not in (0, 1) or (run.returncode == 1) != bool(missed):
            print(f"speed: the benchmark ended with {run.returncode}", file=sys.stderr)
            return 1
        wrong = missed - known if wrong is None else wrong & missed
        if not wrong:
            break
    for goal in sorted(wrong):
        print(f"speed: missed in {RUNS} runs: {goal}", file=sys.stderr)
    print(f"speed: {len(wrong)} missed, {len(missed & known)} of {len(known)} open goals missed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
