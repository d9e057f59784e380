#!/usr/bin/env bash
# Checks everything in deploy/ with the tools made for it and against a running node. Fetches the tools into
# build/deploy first.
#
#   tests/deploy/run.sh [pytest arguments]
#
# INCIPIT_BINARY is the node; default: build/release/incipit. Exit status 0 only if every check ran and passed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=$root/build/deploy
export INCIPIT_BINARY=${INCIPIT_BINARY:-$root/build/release/incipit}

fail() {
  echo "tests/deploy/run.sh: $*" >&2
  exit 1
}

[[ -x $INCIPIT_BINARY ]] ||
  fail "no node at $INCIPIT_BINARY; build it (cmake --preset release && cmake --build --preset release)"
for tool in systemd-analyze readelf dpkg-query apt-get; do
  command -v "$tool" >/dev/null || fail "no $tool; run deploy/install_packages.sh"
done
python3 "$root/tests/deploy/fetch_tools.py" "$tools" || fail "could not fetch the tools; are the registries reachable?"

report=$tools/junit.xml
status=0
rm -f "$report"
PATH=$tools/venv/bin:$PATH PYTHONPATH=$tools/kubernetes PYTHONDONTWRITEBYTECODE=1 "$tools/venv/bin/python" -m pytest \
  -q -ra -p no:cacheprovider --junitxml="$report" "$root/tests/deploy" "$@" || status=1
# A check that is skipped guards nothing.
python3 "$root/scripts/junit_summary.py" "$report" "$root/tests/allowed_skips.txt" || status=1
exit "$status"
