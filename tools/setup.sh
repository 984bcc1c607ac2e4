#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that npusim is built from. Says nothing when there is nothing to do.
#   tools/setup.sh          what building, testing and running need
#   tools/setup.sh --ci     the above and what .ci/run checks with
#   tools/setup.sh --dev    the above and lint, coverage, fuzzing and browser tools
set -euo pipefail

build_packages=(
  g++ cmake ninja-build pkg-config git ccache python3
  libsystemc-dev nlohmann-json3-dev libcli11-dev libfmt-dev libsleef-dev libonnx-dev libprotobuf-dev
  libgtest-dev libgmock-dev librapidcheck-dev libmpfr-dev libvalijson-dev libbenchmark-dev
  libsqlite3-dev libzip-dev libboost-dev libboost-filesystem-dev libboost-mpi-dev libopenmpi-dev openmpi-bin
  libopenblas-dev libjs-chart.js
)
ci_packages=(clang-format python3-onnx python3-numpy chromium)
dev_packages=(clang clang-tidy libclang-rt-14-dev gcovr gdb valgrind)

usage() { sed -n '3,6s/^# \{0,1\}//p' "$0"; }

packages=("${build_packages[@]}")
case "${1:-}" in
  '') ;;
  --ci) packages+=("${ci_packages[@]}") ;;
  --dev) packages+=("${ci_packages[@]}" "${dev_packages[@]}") ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
  echo "setup.sh installs Debian packages, and this system has no apt. Install these by other means" \
    "(SystemC 2.3.4 built for C++17, CMake 3.25 or newer): ${packages[*]}" >&2
  exit 1
fi

is_installed() { [[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2> /dev/null)" == installed ]]; }

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if [[ "$(id -u)" != 0 ]]; then
  if ! command -v sudo > /dev/null; then
    echo "setup.sh needs root to install: ${missing[*]}. Run it as root, or install sudo." >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "setup.sh: installing ${missing[*]}" >&2
apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" > "$log" 2>&1
}
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
# Lists that are already there usually serve; fetching them first is what a fresh machine needs.
if ! apt_get install -y --no-install-recommends "${missing[@]}"; then
  if ! { apt_get update && apt_get install -y --no-install-recommends "${missing[@]}"; }; then
    cat "$log" >&2
    echo "setup.sh: apt could not install these packages; npusim is built on Debian 12 (bookworm)." >&2
    exit 1
  fi
fi
