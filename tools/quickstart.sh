#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to a first comparison: installs what is missing, builds preset `release`, compares
# three NPUs on ResNet-50 inference and an MLP training step. Narration goes to stderr, the table to stdout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "quickstart: $*" >&2; }

tools/setup.sh

say "building (a few minutes the first time)"
cmake --preset release >&2
cmake --build --preset release --target npusim >&2  # `cmake --workflow --preset test` builds the tests

say "comparing three NPUs"
mkdir -p results
build/release/bin/npusim compare \
  --npu systolic128_bf16 cube16_fp16 nvdla_fp16 \
  --workload resnet50 mlp:training \
  --json results/quickstart.json --csv results/quickstart.csv --markdown results/quickstart.md "$@"
