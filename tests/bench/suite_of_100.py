#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time of `npusim check` for a suite of 100 small runs, baselines written first.

usage: suite_of_100.py NPUSIM
Exit code 1 above 60 s (on 2 cores), or if a run does not repeat itself.
"""

import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
import time

MOST_SECONDS = 60


def suite():
    cases = itertools.product(["systolic128_bf16", "cube16_fp16", "nvdla_fp16"], ["mlp", "small_cnn"],
                              ["inference", "training"], range(9))
    runs = [{"name": f"run{i}", "npu": npu, "workload": workload, "mode": mode, "seed": seed, "baseline": f"{i}.json"}
            for i, (npu, workload, mode, seed) in enumerate(itertools.islice(cases, 100))]
    return {"schema_version": 1, "kind": "suite", "name": "hundred", "runs": runs}


def main(npusim):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "suite.json"
        file.write_text(json.dumps(suite()), encoding="utf-8")
        subprocess.run([npusim, "check", file, "--update", "--quiet"], check=True, stdout=subprocess.DEVNULL)
        start = time.monotonic()
        run = subprocess.run([npusim, "check", file, "--quiet"], capture_output=True, text=True, check=False)
        seconds = time.monotonic() - start
    summary = (run.stdout.splitlines() or ["no output"])[-1]
    good = run.returncode == 0 and seconds <= MOST_SECONDS
    print(f"{'ok' if good else 'MISSED'}  {summary} in {seconds:.1f} s, wanted at most {MOST_SECONDS}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
