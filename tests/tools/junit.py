# SPDX-License-Identifier: Apache-2.0
"""Reads the JUnit files that `ctest --output-junit` writes."""

import xml.etree.ElementTree as ElementTree


def read_states(paths):
    """Maps each test's name to 'passed', 'failed' or 'skipped' (skipped, disabled or not run)."""
    states = {}
    for path in paths:
        for case in ElementTree.parse(path).iter("testcase"):
            states[case.get("name")] = _state(case)
    return states


def _state(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.find("skipped") is not None or case.get("status") != "run":
        return "failed" if case.get("status") == "fail" else "skipped"
    return "passed"
