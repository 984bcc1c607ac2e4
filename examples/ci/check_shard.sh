#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One share of a regression suite: check_shard.sh SUITE I/N OUTPUT_FOLDER. Leaves check.xml (JUnit), check.md and
# check.json in the folder; the exit code is that of the check.
set -euo pipefail
suite="$1" shard="$2" folder="$3"
mkdir -p "$folder"
"${NPUSIM:-npusim}" check "$suite" --shard "$shard" --junit "$folder/check.xml" --markdown "$folder/check.md" \
  --json "$folder/check.json" --quiet
