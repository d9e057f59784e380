#!/usr/bin/env bash
# Runs each fuzz target of build/fuzz for a while and prints one line per target.
#
# Usage: scripts/run_fuzzers.sh [TARGET...]          (default: every tests/fuzz/*_fuzz.cc)
# Environment:
#   SECONDS_PER_TARGET  how long each target runs (default FUZZ_SECONDS, else 60)
#   FUZZ_SEED           seed of the mutations (default 1); same seed and build, same inputs
#   FUZZ_JOBS           targets at once (default 1)
#   FUZZ_BUILD          where the targets are (default build/fuzz)
# Starts from tests/fuzz/corpus/TARGET/, where past crashers stay as named files; new inputs go to
# FUZZ_BUILD/corpus/TARGET/. Exit status 1 if a target is missing or crashed; the crashing input is in
# FUZZ_BUILD/crashes/: copy it into the corpus under a telling name, together with the fix.
set -u

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${FUZZ_BUILD:-$root/build/fuzz}
seconds=${SECONDS_PER_TARGET:-${FUZZ_SECONDS:-60}}
seed=${FUZZ_SEED:-1}
jobs=${FUZZ_JOBS:-1}
if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
  exit 0
fi

# Bytes of an input: what the target's source asks for by a line "// fuzz: max_len=N", else 64 KiB. A target that needs
# no long inputs sees many more short ones.
max_len_of() {
  local asked
  asked=$(sed -n 's|^// fuzz: max_len=\([0-9]*\)$|\1|p' "$root/tests/fuzz/$1.cc" 2>/dev/null | head -n 1)
  echo "${asked:-65536}"
}
stat_of() { sed -n "s/^stat::$2: *//p" "$1" | tail -n 1; }

report() {
  printf 'fuzz %-20s %12s executions %9s exec/s  %s\n' "$1" "$2" "$3" "$4"
}

run_target() {
  local name=$1 log=$build/fuzz_logs/$1.log found=$build/corpus/$1 seeds=$root/tests/fuzz/corpus/$1
  local crashes=$build/crashes corpora=("$build/corpus/$1")
  if [[ ! -x $build/$name ]]; then
    report "$name" 0 0 "MISSING: build it with: cmake --preset fuzz && cmake --build --preset fuzz --target $name"
    return 1
  fi
  mkdir -p "$found" "$crashes" "$build/fuzz_logs"
  [[ -d $seeds ]] && corpora+=("$seeds")
  rm -f "$crashes/$name"-*
  local status=0
  "$build/$name" -max_total_time="$seconds" -seed="$seed" -print_final_stats=1 -max_len="$(max_len_of "$name")" \
    -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 -artifact_prefix="$crashes/$name-" "${corpora[@]}" \
    >"$log" 2>&1 || status=$?
  local executions rate result=ok
  executions=$(stat_of "$log" number_of_executed_units)
  rate=$(stat_of "$log" average_exec_per_sec)
  if [[ $status -ne 0 ]]; then
    local crasher
    crasher=$(find "$crashes" -name "$name-*" | head -n 1)
    result="CRASHED (status $status): input ${crasher:-none}, log $log"
  elif [[ ${executions:-0} -eq 0 ]]; then
    status=1 result="RAN NOTHING: log $log"
  fi
  report "$name" "${executions:-?}" "${rate:-?}" "$result"
  return "$((status != 0))"
}

if [[ ${1:-} == --one ]]; then
  run_target "$2"
  exit
fi

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  for source in "$root"/tests/fuzz/*_fuzz.cc; do
    [[ -e $source ]] && targets+=("$(basename "$source" .cc)")
  done
fi
if [[ ${#targets[@]} -eq 0 ]]; then
  echo "run_fuzzers: no fuzz target in $root/tests/fuzz" >&2
  exit 1
fi
# xargs ends with 123 if any target failed, after all have run.
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -n 1 "${BASH_SOURCE[0]}" --one || exit 1
