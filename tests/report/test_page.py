#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens a report in headless Chromium: no console message, and tables and charts that equal the JSON.

usage: test_page.py NPUSIM OUTPUT_FOLDER
Exit code 77 (skipped) where there is no Chromium. The pages and their screenshots stay in the folder.
"""

import html
import json
import pathlib
import re
import shutil
import subprocess
import sys

SKIPPED = 77
PAGES = {
    "comparison": ["compare", "--npu", "systolic128_bf16", "cube16_fp16", "nvdla_fp16", "--workload", "small_cnn", "mlp:training"],
    "memory": ["memory", "--npu", "systolic128_bf16", "google_tpu_v4", "--workload", "lenet5:training", "--details", "--largest", "batch",
               "--set", "npu.dram.gib=0.03"],
    "training": ["train", "--npu", "cube16_fp16", "--workload", "lenet5", "--recipe", "fp16_dynamic_scale", "fp16_naive",
                 "--max-steps", "4", "--test-samples", "64", "--train-samples", "256", "--statistics-every", "2"],
}

SWEEP = {
    "schema_version": 1, "kind": "sweep", "name": "page", "npu": "systolic128_bf16", "workload": "mlp",
    "axes": [{"path": ["npu.mac_array.rows", "npu.mac_array.cols"], "values": [16, 32, 64, 128, 65536]},
             {"path": "npu.dram.bandwidth_gb_per_s", "values": [50, 100, 200]},
             {"path": "npu.mac_array.accumulator.choices", "values": [["fp32"]]}],
    "constraints": [{"metric": "power_w", "at_most": 40}], "objectives": ["seconds", "energy_mj", "utilization"],
}


def browse(page, *options):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
               "--window-size=1300,2400", "--virtual-time-budget=5000", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)


def shoot(page, folder):
    """The page as people see it, light and dark."""
    for name, options in (("light", []), ("dark", ["--blink-settings=preferredColorScheme=0"])):
        browse(page, f"--screenshot={folder / (page.stem + '_' + name + '.png')}", *options)


def check(page, script, folder):
    """What is wrong with a page: outside references, console messages, figures that differ from its JSON."""
    text = page.read_text(encoding="utf-8")
    outside = re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", text.split("<script>")[0])
    source = pathlib.Path(__file__).with_name(script).read_text(encoding="utf-8")
    checked = folder / f"checked_{page.name}"
    checked.write_text(text.replace("</body>", f"<script>\n{source}</script>\n</body>"), encoding="utf-8")
    run = browse(checked, "--dump-dom")
    console = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    verdicts = re.findall(r'<pre id="verdict">([^<]*)</pre>', run.stdout)
    lines = html.unescape(verdicts[-1]).splitlines() if verdicts else ["the page was not checked"]
    return outside + console + (lines[1:] if lines[0] == "checked" else lines)


def main(npusim, folder):
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        print("skipped: no chromium on this machine")
        return SKIPPED
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    wrong = []
    for name, command in PAGES.items():
        result, page = folder / f"{name}.json", folder / f"{name}.html"
        subprocess.run([npusim, *command, "--json", result, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([npusim, "report", result, "--html", page, "--quiet"], check=True)
        wrong += [f"{name}: {line}" for line in check(page, "check_page.js", folder)]
        shoot(page, folder)
    search = folder / "sweep.html"
    description = folder / "sweep.json"
    description.write_text(json.dumps(SWEEP), encoding="utf-8")
    store = folder / "sweep.db"
    store.unlink(missing_ok=True)
    subprocess.run([npusim, "sweep", description, "--store", store, "--html", search, "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)
    shoot(search, folder)
    wrong += [f"sweep: {line}" for line in check(search, "check_sweep_page.js", folder)]
    for line in wrong:
        print(line[:2000])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
