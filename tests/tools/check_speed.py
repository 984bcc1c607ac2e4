#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `npusim_bench --check` and judges missed goals that the list of open ones does not name.

usage: check_speed.py [--shared-host] tests/bench/open_goals.txt COMMAND...
The list has one `case yardstick: reason` a line. A goal that is not in the list and is missed is measured again, twice at most, and the
best figure counts. Every run is printed. With --shared-host a goal fails only below a third of what is wanted, and misses above that are
told: other tenants take caches, memory bandwidth and clock, and the same binary has been seen to take 2.3, 5.2 and 8.5 s for one case. It
finds what became slow by an algorithm; `npusim_bench --check` alone, on an idle machine, decides whether a goal is met.
"""

import re
import subprocess
import sys

from check_skips import read_expected

RUNS = 3
SHARED_HOST = 1 / 3
MISSED = re.compile(r"^MISSED\s+(?P<case>\S+)\s+(?:[\d.]+\s+(?:GMAC|Gvalues)/s\s+)?(?P<value>[\d.]+) (?P<yardstick>.*), "
                    r"wanted (?P<most>at most )?(?:at least )?(?P<wanted>[\d.]+)")


def missed_goals(output):
    """The share that was reached of each missed goal, by `case yardstick`."""
    goals = {}
    for line in output.splitlines():
        if found := MISSED.match(line):
            value, wanted = float(found["value"]), float(found["wanted"])
            goals[f"{found['case']} {found['yardstick']}"] = wanted / value if found["most"] else value / wanted
    return goals


def main(arguments):
    shared = arguments[:1] == ["--shared-host"]
    arguments = arguments[shared:]
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    with open(arguments[0], encoding="utf-8") as file:
        known = set(read_expected(file.read()))
    best = None
    for _ in range(RUNS):
        run = subprocess.run(arguments[1:], stdout=subprocess.PIPE, text=True, check=False)
        print(run.stdout, end="", flush=True)
        missed = missed_goals(run.stdout)
        if run.returncode not in (0, 1) or (run.returncode == 1) != bool(missed):
            print(f"speed: the benchmark ended with {run.returncode}", file=sys.stderr)
            return 1
        unknown = {goal: share for goal, share in missed.items() if goal not in known}
        best = unknown if best is None else {goal: max(best[goal], unknown[goal]) for goal in best.keys() & unknown.keys()}
        wrong = {goal for goal, share in best.items() if not shared or share < SHARED_HOST}
        if not wrong:
            break
    for goal in sorted(best):
        print(f"speed: {'FAILED' if goal in wrong else 'missed'}: {goal}, {best[goal]:.2f} of the goal", file=sys.stderr)
    print(f"speed: {len(wrong)} failed, {len(best) - len(wrong)} missed as a shared host may, "
          f"{len(missed.keys() & known)} of {len(known)} open goals missed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
