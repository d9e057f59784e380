#!/usr/bin/env bash
# Runs everything that guards this project, in stages, and stops at the first that fails. tests/README.md says more.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

usage() {
  cat <<'TEXT'
usage: tests/run.sh [--quick | --all | --stage NAME]... [--keep-going] [--list] [--help]

Checks, builds and tests the tree on Debian 12; missing packages are installed first (root or sudo).
  --quick        only the release build and its tests
  --all          every stage of --list; without it: all but clang-tidy
  --stage NAME   only this stage; may be given several times
  --keep-going   run the later stages after a failure as well
  --list         names of all stages, in order
Environment: JOBS (default: number of cores), FUZZ_SECONDS per fuzz target (default 60).
Logs are left in build/run/. Exit status 0 only if all that ran passed and no test was skipped that
tests/allowed_skips.txt does not list.
TEXT
}

# name|title; the work of stage a-b is done by function stage_a_b.
all_stages=(
  'format|C++ files are formatted'
  'tidy|lines, functions, files, names, links'
  'mirror|every source has its test'
  'headers|every header compiles alone'
  'release|release build and all tests'
  'python|Python package: wheel, tests, examples'
  'deploy|deployment files: their own tools, and a real node'
  'asan-ubsan|address and undefined-behaviour sanitizers, all but the command line'
  'tsan|thread sanitizer, tests that use threads'
  'fuzz|every decoder fuzzed'
  'campaigns|crash, damage and overload campaigns, small counts'
  'clang-tidy|static analysis'
)
quick_stages=(release)
default_stages=(format tidy mirror headers release python deploy asan-ubsan tsan fuzz campaigns)

jobs=${JOBS:-$(nproc)}
tests_at_once=$jobs
logs=build/run
results=$logs/results.tsv  # one line per counted run: stage, passed, failed, skipped, seconds

# Everything that handles bytes from outside, or memory by hand. The command line and the benchmarks on top are tested
# in the release build.
asan_targets=(test_cache test_transport test_cluster test_client test_eviction test_sim test_golden test_conformance
  test_campaigns)
# Names that ctest gives to what was not built. The ucx lane is run by test_conformance; of its own tests (Ucx.*)
# one wants crash handlers that are not the sanitizer's, and one with many tiny blocks overflows the stack there.
not_in_asan='^EndToEnd|^Ucx\.|^test_(cli|bench|canary)_NOT_BUILT'

# What uses more than one thread; everything else is single-threaded by design and has nothing for TSan to find.
tsan_targets=(test_transport test_cache test_cluster test_client)
tsan_tests='Thread|Uring|Tcp|Node|Client|CApi|Handover|Http|Serve|Stop|Metrics|Membership'

record() { printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$results"; }

# build_preset PRESET [cmake --build options]
build_preset() {
  local preset=$1
  shift
  cmake --preset "$preset" >"$logs/$preset.configure.log" 2>&1 || { cat "$logs/$preset.configure.log"; return 1; }
  cmake --build "build/$preset" -j "$jobs" "$@"
}

# ctest_preset PRESET [ctest options]: runs and records; fails on failed tests and on skips that are not allowed.
ctest_preset() {
  local preset=$1 status=0
  shift
  local report=$PWD/$logs/$preset.junit.xml
  rm -f "$report"
  (cd "build/$preset" && "${runner[@]}" ctest -j "$tests_at_once" --output-on-failure --no-tests=error \
    --output-junit "$report" "$@") || status=1
  python3 scripts/junit_summary.py "$report" tests/allowed_skips.txt >"$logs/$preset.counts" || status=1
  cat "$logs/$preset.counts"
  read -r passed failed skipped < <(tail -n 1 "$logs/$preset.counts")
  return "$status"
}

# Runs one command as one counted test.
counted() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); return 1; fi
}

stage_format() { counted scripts/check_format.py; }
stage_tidy() { counted scripts/tidy.py; }
stage_mirror() { counted scripts/check_mirror.py; }
stage_headers() { counted scripts/check_headers.py --jobs "$jobs"; }
stage_clang_tidy() { counted scripts/run_clang_tidy.py --jobs "$jobs"; }
stage_release() { build_preset release && ctest_preset release; }
stage_python() {
  local report=$PWD/$logs/python.junit.xml status=0
  rm -f "$report"
  [ -x build/release/incipit ] || build_preset release --target incipit || return 1
  tests/client/python/run.sh --junitxml="$report" || status=1
  python3 scripts/junit_summary.py "$report" tests/allowed_skips.txt >"$logs/python.counts" || status=1
  cat "$logs/python.counts"
  read -r passed failed skipped < <(tail -n 1 "$logs/python.counts")
  return "$status"
}
stage_deploy() {
  local status=0
  [ -x build/release/incipit ] || build_preset release --target incipit || return 1
  tests/deploy/run.sh >"$logs/deploy.output" 2>&1 || status=1
  cat "$logs/deploy.output"
  read -r passed failed skipped < <(grep -E '^[0-9]+ [0-9]+ [0-9]+$' "$logs/deploy.output" || echo 0 1 0)
  return "$status"
}
stage_asan_ubsan() {
  export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
  build_preset asan-ubsan --target "${asan_targets[@]}" && ctest_preset asan-ubsan -E "$not_in_asan"
}
stage_tsan() {
  # GCC 12's TSan cannot place its shadow under the wide address randomization of recent kernels.
  setarch "$(uname -m)" -R true 2>/dev/null && runner=(setarch "$(uname -m)" -R)
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  # UCX's hook of madvise takes a lock in the last steps of an ending thread, where TSan has left the thread already.
  export UCX_MEM_MMAP_HOOK_MODE=none
  tests_at_once=1  # many of these keep every processor busy by themselves
  build_preset tsan --target "${tsan_targets[@]}" && ctest_preset tsan -R "$tsan_tests"
}
stage_fuzz() {
  local targets=(tests/fuzz/*_fuzz.cc)
  targets=("${targets[@]##*/}")
  build_preset fuzz --target "${targets[@]%.cc}" || return 1
  export FUZZ_SECONDS=${FUZZ_SECONDS:-60} FUZZ_JOBS=$jobs
  local status=0
  scripts/run_fuzzers.sh | tee "$logs/fuzzers.txt"
  [ "${PIPESTATUS[0]}" -eq 0 ] || status=1
  passed=$(grep -c '^fuzz .* ok$' "$logs/fuzzers.txt")
  failed=$(grep -vc '^fuzz .* ok$' "$logs/fuzzers.txt")
  return "$status"
}
stage_campaigns() {
  cmake --build build/release -j "$jobs" --target campaigns || return 1
  local campaign status=0
  for campaign in tests/campaigns/run_*; do
    [ -x "$campaign" ] || continue
    echo "--- $campaign"
    counted "$campaign" || { echo "failed: $campaign"; status=1; }
  done
  return "$status"
}

run_stage() {
  local name=$1 title=$2 log=$logs/$1.log started=$SECONDS status=0
  printf '\n== %s: %s\n' "$name" "$title"
  # In a subshell, so that settings of one stage do not reach the next; counts come back through a file.
  (
    passed=0 failed=0 skipped=0 runner=()
    "stage_${name//-/_}"
    status=$?
    [ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1  # a build that fails counts as one failure
    echo "$passed $failed $skipped" >"$logs/$name.counted"
    exit "$status"
  ) >"$log" 2>&1 || status=1
  local seconds=$((SECONDS - started)) counts='0 1 0'
  [ -s "$logs/$name.counted" ] && counts=$(<"$logs/$name.counted")
  # shellcheck disable=SC2086
  record "$name" $counts "$seconds"
  if [ "$status" -eq 0 ]; then
    grep -E '^[a-z_]+: |^tests: ' "$log" | tail -n 4
    echo "   passed in $seconds s"
  else
    grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking) ' "$log" | tail -n "${FAILURE_LINES:-150}"
    printf '   FAILED after %s s; whole output: %s\n' "$seconds" "$log"
    printf '   to reproduce: tests/run.sh --stage %s\n' "$name"
  fi
  return "$status"
}

summary() {
  local failures=0
  printf '\n%-12s %8s %8s %8s %8s\n' stage passed failed skipped seconds
  awk -F'\t' '{printf "%-12s %8d %8d %8d %8d\n", $1, $2, $3, $4, $5}' "$results"
  failures=$(awk -F'\t' '{f += $3} END {print f + 0}' "$results")
  echo
  awk -F'\t' '{p += $2; f += $3; s += $4}
    END {printf "%d passed, %d failed%s\n", p, f, (s > 0 ? sprintf(", %d skipped", s) : "")}' "$results"
  [ "$failures" -eq 0 ]
}

main() {
  local wanted=() every=0 keep_going=0 entry status=0
  while [ $# -gt 0 ]; do
    case $1 in
      --quick) wanted=("${quick_stages[@]}") ;;
      --all) every=1 ;;
      --stage) [ $# -gt 1 ] || { usage >&2; exit 2; }; wanted+=("$2"); shift ;;
      --keep-going) keep_going=1 ;;
      --list) printf '%s\n' "${all_stages[@]%%|*}"; exit 0 ;;
      --help | -h) usage; exit 0 ;;
      *) echo "run.sh: unknown option '$1'" >&2; usage >&2; exit 2 ;;
    esac
    shift
  done
  for entry in "${wanted[@]}"; do
    printf '%s\n' "${all_stages[@]%%|*}" | grep -qxF -- "$entry" ||
      { echo "run.sh: no stage '$entry'; known: ${all_stages[*]%%|*}" >&2; exit 2; }
  done

  if [ "${#wanted[@]}" -eq 0 ] && [ "$every" -eq 0 ]; then
    wanted=("${default_stages[@]}")
    echo "run.sh: stages ${wanted[*]}; --all adds: $(printf '%s\n' "${all_stages[@]%%|*}" |
      grep -vxF "$(printf '%s\n' "${wanted[@]}")" | tr '\n' ' ')"
  fi

  deploy/install_packages.sh || exit 1
  mkdir -p "$logs"
  : >"$results"
  rm -f "$logs"/*.counted
  for entry in "${all_stages[@]}"; do
    [ "${#wanted[@]}" -eq 0 ] || [[ " ${wanted[*]} " == *" ${entry%%|*} "* ]] || continue
    run_stage "${entry%%|*}" "${entry#*|}" && continue
    status=1
    [ "$keep_going" -eq 1 ] || break
  done
  summary || status=1
  exit "$status"
}
main "$@"
