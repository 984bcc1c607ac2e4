# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/setup.sh against stand-ins for dpkg-query, apt-get, sudo and id."""

import os
import shutil
import stat
import subprocess
import tempfile
import unittest

SETUP = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "setup.sh")
REAL = ("bash", "sed", "cat", "mktemp", "rm", "env")


class Machine:
    """A PATH that holds only what the stand-ins are told to be."""

    def __init__(self, folder, user=0, sudo=False, apt=True, installed=(), all_installed=False,
                 apt_succeeds_at=1):
        self.folder = folder
        self.log = os.path.join(folder, "log")
        for name in REAL:
            os.symlink(shutil.which(name), os.path.join(folder, name))
        self._script("id", f"echo {user}")
        if apt:
            known = " ".join(installed)
            answer = "exit 0" if all_installed else f'case " {known} " in *" ${{@: -1}} "*) exit 0;; esac; exit 1'
            self._script("dpkg-query", f'({answer}) && echo -n installed')
            # Fails until the given number of install calls, as with package lists that are not there yet.
            self._script("apt-get", f'echo "apt-get $*" >> {self.log}; case " $* " in *" update "*) exit 0;; esac; '
                                    f'n=0; while read -r l; do case "$l" in *install*) n=$((n+1));; esac; done '
                                    f'< {self.log}; [ $n -ge {apt_succeeds_at} ] || {{ echo "no lists"; exit 100; }}')
        if sudo:
            self._script("sudo", f'echo sudo >> {self.log}; exec "$@"')

    def _script(self, name, body):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!{shutil.which('bash')}\n{body}\n")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def run(self, *arguments):
        return subprocess.run([shutil.which("bash"), SETUP, *arguments], env={"PATH": self.folder},
                              capture_output=True, text=True, check=False)

    def calls(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return file.read().splitlines()


class SetupTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def test_says_and_does_nothing_when_all_is_there(self):
        machine = Machine(self.folder, user=1000, all_installed=True)
        for arguments in ((), ("--ci",), ("--dev",)):
            outcome = machine.run(*arguments)
            self.assertEqual((outcome.returncode, outcome.stdout, outcome.stderr), (0, "", ""))
        self.assertEqual(machine.calls(), [])

    def test_root_installs_what_is_missing_without_sudo(self):
        machine = Machine(self.folder, installed=("cmake", "g++"))
        self.assertEqual(machine.run().returncode, 0)
        words = machine.calls()[0].split()
        self.assertEqual(len(machine.calls()), 1)
        self.assertIn("libsystemc-dev", words)
        self.assertNotIn("cmake", words)
        self.assertNotIn("clang-tidy", words)

    def test_user_installs_through_sudo(self):
        machine = Machine(self.folder, user=1000, sudo=True)
        self.assertEqual(machine.run().returncode, 0)
        self.assertEqual(machine.calls()[0], "sudo")

    def test_user_without_sudo_is_told_what_is_missing(self):
        machine = Machine(self.folder, user=1000)
        outcome = machine.run()
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("libsystemc-dev", outcome.stderr)
        self.assertEqual(machine.calls(), [])

    def test_package_lists_are_fetched_when_the_first_try_fails(self):
        machine = Machine(self.folder, apt_succeeds_at=2)
        self.assertEqual(machine.run().returncode, 0)
        self.assertIn("update", machine.calls()[1])
        self.assertEqual(len(machine.calls()), 3)

    def test_failure_shows_what_apt_said(self):
        outcome = Machine(self.folder, apt_succeeds_at=99).run()
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("no lists", outcome.stderr)

    def test_dev_adds_lint_fuzzing_and_browser_packages(self):
        machine = Machine(self.folder)
        self.assertEqual(machine.run("--dev").returncode, 0)
        for package in ("clang-format", "clang-tidy", "libclang-rt-14-dev", "chromium", "libsystemc-dev"):
            self.assertIn(package, machine.calls()[0].split())

    def test_other_systems_get_one_sentence(self):
        outcome = Machine(self.folder, apt=False).run()
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("no apt", outcome.stderr)

    def test_unknown_options_are_refused(self):
        outcome = Machine(self.folder, all_installed=True).run("--everything")
        self.assertEqual(outcome.returncode, 2)
        self.assertIn("setup.sh --dev", outcome.stderr)


if __name__ == "__main__":
    unittest.main()
