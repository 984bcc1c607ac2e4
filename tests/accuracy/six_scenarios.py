#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the six NPU scenarios train as FP32 does? Five seeds, 95 % intervals.

usage: six_scenarios.py NPUSIM [--only NAME...] [--jobs N] [--markdown FILE] [--keep FOLDER] [--sample | --kept-only]
Classifiers are judged by the accuracy that they lose against FP32 from the same seed, over 10,000 test pictures: at most half a point.
The language model is judged by its loss on sequences it has not seen: at most 1 % more. What must stay below that is the upper end of the
95 % interval of the mean over five seeds (Student's t, four degrees of freedom); exit code 1 where it does not. All seeds are printed.
With --sample, one seed trains for a few steps: the loss of each scenario must be as near to FP32's as the experiment says, and that of pure BF16,
which is known to go wrong, must not.
With --keep, what a seed gave is kept in FOLDER with its settings, and not computed again by a run that finds it there; with --kept-only nothing
is computed at all, and kept results of other settings are refused.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, replace

SEEDS = (11, 12, 13, 14, 15)  # fixed before the first run
SCENARIOS = ("bf16_fp32_master", "bf16_fp32_accumulate", "bf16_last_layer_fp32", "bf16_activations_fp32_weights",
             "bf16_fp32_norm_statistics", "bf16_dynamic_scale")
CONTROL = "bf16_pure"  # of samples: has to be told from FP32
NPU = "systolic128_bf16"
T_975 = 2.776445  # Student's t, four degrees of freedom


@dataclass
class Experiment:
    data: str
    train: int
    test: int
    epochs: int
    batch: int
    learning_rate: float
    measure: str  # of an evaluation: accuracy, or loss
    most: float  # points of accuracy, or percent of the loss
    optimizer: str = "sgd"
    parameters: dict = field(default_factory=dict)  # of the workload
    least: float = 0.0  # mean of FP32: the digits can be learnt
    sample: int = 0  # of --sample: steps
    sample_most: float = 0.0  # and percent of the loss, more or less

    def of_a_sample(self):
        return replace(self, train=self.sample * self.batch, test=4 * self.batch, epochs=1, measure="loss", most=self.sample_most)

    def command(self, npusim, workload, recipes, seed, jobs):
        schedule = json.dumps({"kind": "cosine", "period": self.epochs * (self.train // self.batch), "factor": 0.01})
        optimizer = {"kind": self.optimizer, "learning_rate": self.learning_rate}
        if self.optimizer == "sgd":
            optimizer["momentum"] = 0.9
        changes = {f"workload.parameters.{name}": value for name, value in {"batch": self.batch, **self.parameters}.items()}
        changes["workload.training.optimizer"] = json.dumps(optimizer)
        changes["workload.training.schedule"] = schedule
        sets = [text for path, value in changes.items() for text in ("--set", f"{path}={value}")]
        return [npusim, "train", "--npu", NPU, "--workload", workload, "--recipe", *recipes, *sets, "--data", self.data,
                "--train-samples", str(self.train), "--test-samples", str(self.test), "--epochs", str(self.epochs),
                "--seed", str(seed), "--no-timing", "--quiet", "--jobs", str(jobs), "--json", "-"]

    def value(self, run):
        return (100 if self.measure == "accuracy" else 1) * run["evaluations"][-1][self.measure]

    def lost(self, reference, value):
        """Points of accuracy, or percent of the reference's loss."""
        return reference - value if self.measure == "accuracy" else 100 * (value / reference - 1)


EXPERIMENTS = {
    "lenet5": Experiment("digits", 10000, 10000, 2, 64, 0.03, "accuracy", 0.5, least=97.0, sample=8, sample_most=0.1),
    # ResNet-14 of a quarter of the width: 1.6 million MACs a picture.
    "small_resnet": Experiment("digits", 19200, 10000, 1, 32, 0.05, "accuracy", 0.5, parameters={"width": 4, "blocks": 2}, sample=2,
                               sample_most=0.5),
    # Two layers of 32 and 16 characters: the grammar's loss is 1.213 nats at best, log 16 = 2.77 before the first step.
    "small_gpt": Experiment("markov", 6400, 1000, 1, 16, 0.003, "loss", 1.0, optimizer="adam",
                            parameters={"hidden": 32, "layers": 2, "heads": 2, "sequence": 32, "positions": 32, "vocab": 16}, sample=10,
                            sample_most=0.01),
}


def interval(values):
    """Mean and the ends of its 95 % interval."""
    mean = statistics.fmean(values)
    half = T_975 * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def table(experiment, seeds, reference, lost, same):
    unit = "accuracy lost [points]" if experiment.measure == "accuracy" else "loss more [%]"
    yield f"FP32: {statistics.fmean(reference):.4g} (" + ", ".join(f"{value:.4g}" for value in reference) + ")"
    yield ""
    yield f"| scenario | {unit}, mean | 95 % interval | seeds {seeds[0]} to {seeds[-1]} | agreement [%] |"
    yield "|---|---:|---|---|---:|"
    for recipe, values in lost.items():
        mean, low, high = interval(values)
        yield (f"| {recipe} | {mean:+.3f} | {low:+.3f} to {high:+.3f} | " + ", ".join(f"{value:+.2f}" for value in values) +
               f" | {statistics.fmean(same[recipe]):.2f} |")


def trained(experiment, npusim, workload, recipes, seed, jobs):
    """Of one seed: the reference's value, and of each recipe what it lost and how often it agreed."""
    run = subprocess.run(experiment.command(npusim, workload, recipes, seed, jobs), stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(run.stdout)
    reference = experiment.value(result["reference"])
    lost, same = {}, {}
    for row in result["runs"]:
        if row["status"] != "ok":
            sys.exit(f"{workload}, {row['recipe']}, seed {seed}: {row['status']} {row['error']}")
        lost[row["recipe"]] = experiment.lost(reference, experiment.value(row))
        same[row["recipe"]] = 100 * row["agreement"]
    return {"reference": reference, "lost": lost, "same": same, "settings": settings(experiment)}


def settings(experiment):
    """What decides the values."""
    return {name: value for name, value in asdict(experiment).items() if not name.startswith("sample")}


def sampled(npusim, workload, jobs):
    """Whether the scenarios stay near FP32 for a few steps, and the control does not."""
    experiment = EXPERIMENTS[workload].of_a_sample()
    one = trained(experiment, npusim, workload, (*SCENARIOS, CONTROL), SEEDS[0], jobs)
    good = True
    for recipe, lost in one["lost"].items():
        near = abs(lost) <= experiment.most
        expected = near != (recipe == CONTROL)
        print(f"{'ok' if expected else 'MISSED'}  {workload}: {recipe}: {lost:+.4f} % of FP32's loss, "
              f"{'wanted more than' if recipe == CONTROL else 'wanted at most'} {experiment.most}", flush=True)
        good = good and expected
    return good


def kept(folder, name, experiment, compute):
    """What the file of this name holds; computed (unless compute is None) and written first where there is none."""
    if not folder:
        return compute()
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        if compute is None:
            sys.exit(f"{path} is missing")
        os.makedirs(folder, exist_ok=True)
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(compute(), file)
        os.replace(path + ".part", path)
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    if result["settings"] != settings(experiment):
        sys.exit(f"{path} has other settings: {result['settings']}, not {settings(experiment)}")
    return result


def measure(npusim, workload, jobs, folder, compute):
    """The table of one network and the worst upper end of an interval."""
    experiment = EXPERIMENTS[workload]
    lost = {recipe: [] for recipe in SCENARIOS}
    same = {recipe: [] for recipe in SCENARIOS}
    reference = []
    for seed in SEEDS:
        begin = time.monotonic()
        compute_one = (lambda: trained(experiment, npusim, workload, SCENARIOS, seed, jobs)) if compute else None
        one = kept(folder, f"{workload}_{seed}.json", experiment, compute_one)
        reference.append(one["reference"])
        for recipe in SCENARIOS:
            lost[recipe].append(one["lost"][recipe])
            same[recipe].append(one["same"][recipe])
        print(f"{workload} seed {seed}: FP32 {reference[-1]:.4g}", {name: round(values[-1], 2) for name, values in lost.items()},
              f"{time.monotonic() - begin:.0f} s", flush=True)
    worst = max(interval(values)[2] for values in lost.values())
    learnt = statistics.fmean(reference) >= experiment.least
    return list(table(experiment, SEEDS, reference, lost, same)), worst, experiment.most, learnt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("npusim")
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--markdown")
    parser.add_argument("--keep", metavar="FOLDER")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--kept-only", action="store_true")
    arguments = parser.parse_args()
    if arguments.sample:
        results = [sampled(arguments.npusim, workload, arguments.jobs) for workload in arguments.only]
        return 0 if all(results) else 1
    texts, good = [], True
    for workload in arguments.only:
        lines, worst, most, learnt = measure(arguments.npusim, workload, arguments.jobs, arguments.keep, not arguments.kept_only)
        text = "\n".join([f"## {workload}", "", *lines, ""])
        print(text)
        print(f"{'ok' if worst <= most else 'MISSED'}  {workload}: upper end {worst:+.3f}, wanted at most {most}", flush=True)
        if not learnt:
            print(f"MISSED  {workload}: FP32, wanted at least {EXPERIMENTS[workload].least} on average", flush=True)
        good = good and worst <= most and learnt
        texts.append(text)
        if arguments.markdown:
            with open(arguments.markdown, "w", encoding="utf-8") as file:
                file.write("\n".join(texts))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
