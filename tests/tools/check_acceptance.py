#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks docs/acceptance.md against what really ran.

usage: check_acceptance.py docs/acceptance.md [--ci .ci/run] [--skips expected_skips.txt] --junit JUNIT.xml...

The table has a row for each requirement: | requirement | shown by | figure | state |
`shown by` holds code spans: `ctest:Name` (a CTest test, '*' matches any part of the name) and
`cmd:...` (a command that .ci/run executes, as it stands there). The state is `done` or `open`. A row
that is done must name at least one proof; each named test must have run and passed, or be skipped by a name
in the list of expected skips (a CPU without the instruction, data that is not part of the repository): such
rows are named on stderr.
"""

import argparse
import re
import sys

from check_skips import read_expected
from junit import read_states

COLUMNS = ["requirement", "shown by", "figure", "state"]


def split_row(line):
    """The cells of a Markdown table row; a '|' inside a code span or after a backslash is text."""
    cells, cell, in_code, escaped = [], "", False, False
    for char in line.strip()[1:]:
        if char == "|" and not in_code and not escaped:
            cells.append(cell.strip())
            cell = ""
        else:
            in_code ^= char == "`"
            cell += char
        escaped = char == "\\" and not escaped
    return cells


def read_rows(text):
    """Returns (rows, mistakes): rows are (line number, requirement, proofs, figure, state)."""
    rows, mistakes, within = [], [], False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("|"):
            within = False
            continue
        cells = split_row(line)
        if [cell.lower() for cell in cells] == COLUMNS:
            within = True
        elif within and not re.fullmatch(r"[\s|:-]+", line):
            if len(cells) != len(COLUMNS):
                mistakes.append(f"line {number}: {len(cells)} cells instead of {len(COLUMNS)}")
                continue
            rows.append((number, cells[0], re.findall(r"`([^`]+)`", cells[1]), cells[2], cells[3]))
    if not rows:
        mistakes.append("no table with the columns " + " | ".join(COLUMNS))
    return rows, mistakes


def check_proof(proof, states, ci_text, may_skip=()):
    """Returns what is wrong with one proof, or None."""
    kind, _, name = proof.partition(":")
    if kind == "cmd":
        return None if name and name in ci_text else f"the CI script does not run `{name}`"
    if kind != "ctest" or not name:
        return f"`{proof}` is neither ctest:Name nor cmd:..."
    # Only '*' is special: the names of parameterised tests hold brackets and question marks.
    pattern = re.compile(".*".join(re.escape(part) for part in name.split("*")))
    found = {test: state for test, state in states.items() if pattern.fullmatch(test)}
    if not found:
        return f"no test called {name} ran"
    wrong = [f"{test} {state}" for test, state in sorted(found.items())
             if state != "passed" and not (state == "skipped" and test in may_skip)]
    return ", ".join(wrong) or None


def check(text, states, ci_text, may_skip=()):
    """Returns (mistakes, done, open)."""
    rows, mistakes = read_rows(text)
    counts = {"done": 0, "open": 0}
    seen = {}
    for number, requirement, proofs, _, state in rows:
        place = f"line {number}: {requirement[:60]}"
        if requirement in seen:
            mistakes.append(f"{place}: the same requirement as on line {seen[requirement]}")
        seen.setdefault(requirement, number)
        if state not in counts:
            mistakes.append(f"{place}: state '{state}' is neither done nor open")
            continue
        counts[state] += 1
        if state == "open":
            continue
        if not proofs:
            mistakes.append(f"{place}: done, but nothing shows it")
        for proof in proofs:
            wrong = check_proof(proof, states, ci_text, may_skip)
            if wrong:
                mistakes.append(f"{place}: {wrong}")
    return mistakes, counts["done"], counts["open"]


def main(arguments):
    parser = argparse.ArgumentParser(description="Checks the acceptance table against what ran.")
    parser.add_argument("table")
    parser.add_argument("--ci", help="script whose commands count as proof")
    parser.add_argument("--skips", help="tests that may be skipped, one `name: reason` a line")
    parser.add_argument("--junit", nargs="+", required=True)
    options = parser.parse_args(arguments)
    with open(options.table, encoding="utf-8") as file:
        text = file.read()
    ci_text = ""
    if options.ci:
        with open(options.ci, encoding="utf-8") as file:
            ci_text = file.read()
    may_skip = []
    if options.skips:
        with open(options.skips, encoding="utf-8") as file:
            may_skip = read_expected(file.read())
    states = read_states(options.junit)
    for test in may_skip:
        if states.get(test) == "skipped":
            print(f"note: {test} did not run here: what rests on it was not shown", file=sys.stderr)
    mistakes, done, still_open = check(text, states, ci_text, may_skip)
    for mistake in mistakes:
        print(f"{options.table}: {mistake}", file=sys.stderr)
    print(f"acceptance: {done} done, {still_open} open, {len(mistakes)} mistakes")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
