#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails on any skipped, disabled or unrun test that the list of expected skips does not name.

usage: check_skips.py tests/expected_skips.txt JUNIT.xml...
The list has one `test name: reason` a line; '#' starts a comment.
"""

import sys

from junit import read_states


def read_expected(text):
    """Returns {name: reason}; raises ValueError for a line without a reason."""
    expected = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        name, separator, reason = line.partition(": ")
        if not separator or not reason.strip():
            raise ValueError(f"line {number}: no reason is given for {name!r}")
        expected[name.strip()] = reason.strip()
    return expected


def unexpected_skips(expected, states):
    return sorted(name for name, state in states.items() if state == "skipped" and name not in expected)


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    with open(arguments[0], encoding="utf-8") as file:
        try:
            expected = read_expected(file.read())
        except ValueError as error:
            print(f"{arguments[0]}: {error}", file=sys.stderr)
            return 1
    states = read_states(arguments[1:])
    unexpected = unexpected_skips(expected, states)
    for name in unexpected:
        print(f"skipped, and {arguments[0]} does not name it: {name}", file=sys.stderr)
    for name in sorted(expected):
        if states.get(name) == "passed":
            print(f"note: {arguments[0]} names {name}, which ran", file=sys.stderr)
    print(f"skips: {sum(s == 'skipped' for s in states.values())} of {len(states)} tests, "
          f"{len(unexpected)} unexpected")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
