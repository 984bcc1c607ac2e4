# SPDX-License-Identifier: Apache-2.0
"""Tests of the CI checkers: python3 -m unittest test_checkers (in this folder)."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

import check_acceptance
import check_skips
import check_speed
from junit import read_states

JUNIT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="x" tests="5" failures="1" disabled="1" skipped="1">
  <testcase name="Format.Good" classname="Format.Good" time="0.1" status="run"/>
  <testcase name="Format.Bad" classname="Format.Bad" time="0.1" status="fail"><failure message=""/></testcase>
  <testcase name="Format.Skipped" classname="x" time="0" status="notrun"><skipped message="why"/></testcase>
  <testcase name="Format.Off" classname="x" time="0" status="disabled"><skipped message="Disabled"/></testcase>
  <testcase name="All/Shapes.Match/3" classname="x" time="0" status="run"/>
</testsuite>
"""

HEADER = "| requirement | shown by | figure | state |\n|---|---|---|---|\n"
STATES = {"Format.Good": "passed", "Format.Bad": "failed", "All/Shapes.Match/3": "passed"}


def mistakes_of(rows, ci_text="cmake --workflow --preset test\n"):
    return check_acceptance.check(HEADER + rows, STATES, ci_text)[0]


class JUnitTest(unittest.TestCase):
    def test_states(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "junit.xml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(JUNIT)
            self.assertEqual(read_states([path]), {
                "Format.Good": "passed", "Format.Bad": "failed", "Format.Skipped": "skipped",
                "Format.Off": "skipped", "All/Shapes.Match/3": "passed"})


class AcceptanceTest(unittest.TestCase):
    def test_a_passed_test_and_a_ci_command_are_proof(self):
        self.assertEqual(mistakes_of(
            "| a | `ctest:Format.Good` `cmd:cmake --workflow --preset test` | 3 | done |\n"), [])

    def test_failed_and_missing_tests_are_mistakes(self):
        self.assertIn("Format.Bad failed", mistakes_of("| a | `ctest:Format.Bad` | | done |\n")[0])
        self.assertIn("no test called Nothing ran", mistakes_of("| a | `ctest:Nothing` | | done |\n")[0])

    def test_a_star_matches_and_needs_all_to_pass(self):
        self.assertEqual(mistakes_of("| a | `ctest:All/Shapes.*` | | done |\n"), [])
        self.assertIn("Format.Bad failed", mistakes_of("| a | `ctest:Format.*` | | done |\n")[0])

    def test_commands_must_stand_in_the_ci_script(self):
        self.assertIn("does not run", mistakes_of("| a | `cmd:npusim fly` | | done |\n")[0])

    def test_done_needs_proof_and_open_does_not(self):
        self.assertIn("nothing shows it", mistakes_of("| a | trust me | | done |\n")[0])
        self.assertEqual(mistakes_of("| a | `ctest:Later` | | open |\n"), [])

    def test_unknown_states_kinds_and_repeated_rows(self):
        self.assertIn("neither done nor open", mistakes_of("| a | | | perhaps |\n")[0])
        self.assertIn("neither ctest", mistakes_of("| a | `gtest:x` | | done |\n")[0])
        self.assertIn("same requirement", mistakes_of("| a | | | open |\n| a | | | open |\n")[0])

    def test_pipes_in_code_and_escaped_are_text(self):
        rows = "| a \\| b `x|y` | `ctest:Format.Good` | | done |\n"
        self.assertEqual(mistakes_of(rows), [])
        self.assertIn("5 cells", mistakes_of("| a | b | c | d | done |\n")[0])

    def test_skips_that_are_expected_are_no_mistakes(self):
        rows = HEADER + "| a | `ctest:Cpu.Instruction` | | done |\n"
        states = {"Cpu.Instruction": "skipped"}
        self.assertTrue(check_acceptance.check(rows, states, "")[0])
        self.assertEqual(check_acceptance.check(rows, states, "", ["Cpu.Instruction"])[0], [])
        failed = {"Cpu.Instruction": "failed"}
        self.assertTrue(check_acceptance.check(rows, failed, "", ["Cpu.Instruction"])[0])

    def test_a_page_without_the_table_is_a_mistake(self):
        self.assertTrue(check_acceptance.check("no table", {}, "")[0])

    def test_main_tells_by_its_exit_code(self):
        with tempfile.TemporaryDirectory() as folder:
            table, junit = os.path.join(folder, "a.md"), os.path.join(folder, "j.xml")
            with open(junit, "w", encoding="utf-8") as file:
                file.write(JUNIT)
            for test, code in (("Format.Good", 0), ("Format.Skipped", 1)):
                with open(table, "w", encoding="utf-8") as file:
                    file.write(HEADER + f"| a | `ctest:{test}` | | done |\n")
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    self.assertEqual(check_acceptance.main([table, "--junit", junit]), code)


class SkipsTest(unittest.TestCase):
    def test_only_named_skips_pass(self):
        states = {"a": "skipped", "b": "skipped", "c": "passed"}
        self.assertEqual(check_skips.unexpected_skips({"a": "needs a GPU"}, states), ["b"])

    def test_each_needs_a_reason(self):
        self.assertEqual(check_skips.read_expected("# text\nA.b/1: no AVX-512 here  # x\n\n"),
                         {"A.b/1": "no AVX-512 here"})
        with self.assertRaises(ValueError):
            check_skips.read_expected("A.b\n")


class SpeedTest(unittest.TestCase):
    OUTPUT = """ok      a                 1.00 GMAC/s      1.853 x sgemm, wanted 1.000
MISSED  a               117.95 GMAC/s      0.860 x FMA peak, wanted 0.930
MISSED  b/two_threads   126.59 GMAC/s      0.987 x one thread, wanted 1.900
MISSED  round_sr          1.00 Gvalues/s   1.000 G/s, wanted 2.500
MISSED  c                 0.75 of the fastest data set, wanted 0.80
simd path avx512, medians of 5, 4 missed
"""

    def code_of(self, known, output, code, *options):
        program = f"import sys; sys.stdout.write({output!r}); sys.exit({code})"
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "open.txt")
            with open(path, "w", encoding="utf-8") as file:
                file.write(known)
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                return check_speed.main([*options, path, sys.executable, "-c", program])

    def test_every_kind_of_goal_is_read(self):
        shares = check_speed.missed_goals(self.OUTPUT + "MISSED  d                  5246.18 ms, wanted at most 2000.00\n"
                                          "MISSED  e                  0.5 M/s, wanted at least 1.00\n")
        self.assertEqual({goal: round(share, 3) for goal, share in shares.items()},
                         {"a x FMA peak": 0.925, "b/two_threads x one thread": 0.519, "round_sr G/s": 0.4,
                          "c of the fastest data set": 0.938, "d ms": 0.381, "e M/s": 0.5})

    def test_only_named_goals_may_be_missed(self):
        known = "a x FMA peak: r\nb/two_threads x one thread: r\nround_sr G/s: r\n"
        self.assertEqual(self.code_of(known, self.OUTPUT, 1), 1)
        self.assertEqual(self.code_of(known + "c of the fastest data set: r\n", self.OUTPUT, 1), 0)

    def test_a_shared_host_fails_below_a_third(self):
        self.assertEqual(self.code_of("", self.OUTPUT, 1, "--shared-host"), 0)
        self.assertEqual(self.code_of("", self.OUTPUT.replace("0.987 x", "0.600 x"), 1, "--shared-host"), 1)

    def test_a_benchmark_that_fails_otherwise_fails(self):
        self.assertEqual(self.code_of("", "simd path avx512\n", 0), 0)
        self.assertEqual(self.code_of("", "simd path avx512\n", 1), 1)
        self.assertEqual(self.code_of("", "", 134), 1)


if __name__ == "__main__":
    unittest.main()
