# Sourced by the campaigns: goes to the root of the tree, builds what is named, gives a scratch folder that ends with
# the script. INCIPIT_CAMPAIGN_DIR names the folder to make it in; it must be on a disk that takes direct I/O.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build_targets() {
  [ -f build/release/build.ninja ] || cmake --preset release >/dev/null
  cmake --build build/release --target "$@" >build/release/campaigns.log 2>&1 || {
    tail -n 50 build/release/campaigns.log
    exit 1
  }
}

scratch_folder() {
  INCIPIT_CAMPAIGN_DIR=$(mktemp -d "${INCIPIT_CAMPAIGN_DIR:-${TMPDIR:-/tmp}}/incipit-campaigns-XXXXXX")
  export INCIPIT_CAMPAIGN_DIR
  trap 'rm -rf "$INCIPIT_CAMPAIGN_DIR"' EXIT
}

# run_process_campaign NAME: the program of tests/processes/NAME_main.cc, against a copy of this tree's binary, so that
# a build in the middle of a long campaign does not disturb it.
run_process_campaign() {
  build_targets incipit "campaign_$1"
  scratch_folder
  cp build/release/incipit "build/release/campaign_$1" "$INCIPIT_CAMPAIGN_DIR"
  "$INCIPIT_CAMPAIGN_DIR/campaign_$1" "$INCIPIT_CAMPAIGN_DIR/incipit"
}

# run_cluster_campaign NAME: tests/campaigns/NAME.py with a copy of the binary; each process of the cluster has a
# network namespace of its own where root permits that. Further names are programs that NAME.py is given copies of.
run_cluster_campaign() {
  local apart=(unshare --net --mount --propagation private) name=$1 programs=()
  shift
  build_targets incipit "$@"
  scratch_folder
  cp build/release/incipit "$INCIPIT_CAMPAIGN_DIR"
  for program in "$@"; do
    cp "build/release/$program" "$INCIPIT_CAMPAIGN_DIR"
    programs+=("$INCIPIT_CAMPAIGN_DIR/$program")
  done
  if [ "$(id -u)" -eq 0 ] && "${apart[@]}" tests/campaigns/may_network 2>/dev/null; then
    "${apart[@]}" python3 "tests/campaigns/$name.py" "$INCIPIT_CAMPAIGN_DIR/incipit" "${programs[@]}" --namespaced
  else
    python3 "tests/campaigns/$name.py" "$INCIPIT_CAMPAIGN_DIR/incipit" "${programs[@]}"
  fi
}
