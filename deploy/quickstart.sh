#!/usr/bin/env bash
# From a fresh Debian 12 machine to a running demonstration: installs what is missing, builds, runs `incipit demo`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'TEXT'
usage: deploy/quickstart.sh [options of `incipit demo`]

Installs missing Debian packages (root or sudo), builds the release binary build/release/incipit, and runs
`incipit demo`: a node with RAM and NVMe tiers in a temporary directory, four workers, a kill -9 between them.
Environment: JOBS (compilers at a time; default: number of cores).
TEXT
  exit 0
fi

deploy/install_packages.sh
log=build/quickstart.log
mkdir -p build
echo "quickstart: configuring (log: $log)"
cmake --preset release >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
echo "quickstart: building build/release/incipit"
cmake --build build/release --target incipit -j "${JOBS:-$(nproc)}"
echo "quickstart: running build/release/incipit demo $*"
build/release/incipit demo "$@"
cat <<'TEXT'

Next steps:
  build/release/incipit doctor                        what this machine offers, and what to change
  build/release/incipit serve --help                  run a node of your own
  build/release/incipit bench --op load --lane tcp --layout deepseek-v3-bf16 --tier ram --spawn
  docs/operations.md                                  settings, limits, alarms
TEXT
