#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speed and memory of `npusim sweep` on two cores.

usage: sweep_speed.py NPUSIM [--long]
ResNet-50 design points a second, timing only, two workers. --long: also two MPI ranks against one, and the
memory of a sweep of 100,000 points. Exit code 1 when a goal is missed.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

LEAST_POINTS_PER_S = 150
LEAST_RANKS = 1.9
MOST_GB = 1.0


def grid(folder, points, workload="resnet50", npu="systolic128_bf16"):
    """Sizes, bandwidths and clocks: every point has a configuration of its own."""
    sizes, bandwidths = [32, 64, 128, 256], 10
    document = {
        "schema_version": 1, "kind": "sweep", "name": "speed", "npu": npu, "workload": workload,
        "axes": [
            {"path": ["npu.mac_array.rows", "npu.mac_array.cols"], "values": sizes},
            {"path": "npu.dram.bandwidth_gb_per_s", "from": 100, "to": 1000, "count": bandwidths},
            {"path": "npu.clock_mhz", "from": 500, "to": 1500, "count": points // (len(sizes) * bandwidths)},
        ],
    }
    file = pathlib.Path(folder) / f"grid{points}.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def seconds_of(command):
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    return time.monotonic() - start


def report(good, text):
    print(f"{'ok' if good else 'MISSED'}  {text}")
    return 0 if good else 1


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(npusim, *options):
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        def sweep(points, name, *more):
            return [npusim, "sweep", grid(folder, points), "--store", f"{folder}/{name}.db", *more]

        cpu, points = cpu_seconds(), 800
        seconds = seconds_of(sweep(points, "two", "--jobs", "2"))
        cost = (cpu_seconds() - cpu) / points
        # Other work on the machine takes time from the clock, not from what a point costs.
        missed += report(2 / cost >= LEAST_POINTS_PER_S, f"{2 / cost:.0f} ResNet-50 points in a second of two cores ("
                         f"{cost * 1e3:.1f} ms of CPU time each; {points / seconds:.0f} a second by the clock), wanted at least "
                         f"{LEAST_POINTS_PER_S}")
        if "--long" in options:
            ranks = {n: seconds_of(["mpirun", "--oversubscribe", "-n", str(n), *sweep(1600, f"ranks{n}", "--jobs", "1")])
                     for n in (1, 2)}
            missed += report(ranks[1] / ranks[2] >= LEAST_RANKS, f"2 ranks are {ranks[1] / ranks[2]:.2f} x one, wanted at least "
                             f"{LEAST_RANKS}")
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            command = [npusim, "sweep", grid(folder, 100000, "mlp"), "--store", f"{folder}/large.db", "--csv",
                       f"{folder}/large.csv", "--html", f"{folder}/large.html"]
            took = seconds_of(command)
            largest = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024e-9
            missed += report(largest <= MOST_GB, f"100,000 points in {took:.0f} s: the largest process took {largest:.2f} GB, "
                             f"wanted at most {MOST_GB}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
