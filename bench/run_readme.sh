#!/usr/bin/env bash
# Runs the workloads behind the published figures and prints them as a table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'TEXT'
usage: bench/run_readme.sh [NAME...]

Runs bench/workloads/NAME.json (default: all) with build/release/incipit and prints a Markdown table.
Results are kept in build/bench/NAME.json. Environment: INCIPIT = another binary.
Exit status: 0 if everything ran with no wrong byte.
TEXT
  exit 0
fi

binary=${INCIPIT:-build/release/incipit}
[ -x "$binary" ] || { echo "run_readme.sh: no $binary: build the release preset first" >&2; exit 1; }
out=build/bench
mkdir -p "$out"
names=("$@")
if [ $# -eq 0 ]; then
  for file in bench/workloads/*.json; do names+=("$(basename "$file" .json)"); done
fi
status=0
for name in "${names[@]}"; do
  mapfile -t arguments < <(python3 -c 'import json,sys; print("\n".join(json.load(open(sys.argv[1]))["arguments"]))' \
    "bench/workloads/$name.json")
  echo "running: $binary ${arguments[*]} --json" >&2
  "$binary" "${arguments[@]}" --json >"$out/$name.json" || status=1
done
python3 bench/readme_table.py "${names[@]}" || status=1
exit "$status"
