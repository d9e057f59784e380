#!/usr/bin/env bash
# What a codec brings where the network is the bottleneck: loads and stores with it and without over a paced link.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'TEXT'
usage: bench/run_paced_link.sh [RATE...]

Makes two network namespaces joined by a pair of virtual devices, each paced to RATE by a token bucket filter (default:
10gbit 5gbit 2.5gbit 1gbit), runs a node in one and `incipit bench --codec` in the other, and prints a Markdown table.
Needs root. Nothing of the host's network is touched, and nothing is left behind.
Environment: INCIPIT = another binary than build/release/incipit; CODEC (bf16-lossless-fast); PAIRS (5);
DATA_BYTES (512MiB); NODE_RAM (6GiB); OPS (load store); MORE = further arguments of `incipit bench`, as --sealed.
Exit status: 0 if everything ran with no wrong byte.
TEXT
  exit 0
fi

binary=$(realpath "${INCIPIT:-build/release/incipit}")
[ -x "$binary" ] || { echo "run_paced_link.sh: no $binary: build the release preset first" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "run_paced_link.sh: needs root, for network namespaces" >&2; exit 1; }
rates=("$@")
[ $# -gt 0 ] || rates=(10gbit 5gbit 2.5gbit 1gbit)
read -ra ops <<<"${OPS:-load store}"
read -ra more <<<"${MORE:-}"
work=$(mktemp -d)
near=incipit-c-$$ far=incipit-n-$$ node=
cleanup() {
  [ -z "$node" ] || kill "$node" 2>/dev/null || true
  wait 2>/dev/null || true
  ip netns del "$near" 2>/dev/null || true
  ip netns del "$far" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

ip netns add "$near"
ip netns add "$far"
ip link add c0 netns "$near" type veth peer name n0 netns "$far"
ip -n "$near" addr add 10.111.0.1/24 dev c0
ip -n "$far" addr add 10.111.0.2/24 dev n0
for side in "$near c0" "$far n0"; do
  read -r space device <<<"$side"
  ip -n "$space" link set lo up
  ip -n "$space" link set "$device" up
done

ip netns exec "$far" "$binary" serve --listen 10.111.0.2:7700 --insecure --http none --shards 1 \
  --ram "${NODE_RAM:-6GiB}" --ready-file "$work/ready" >"$work/node.log" 2>&1 &
node=$!
for _ in $(seq 600); do
  [ ! -s "$work/ready" ] || break
  kill -0 "$node" 2>/dev/null || { cat "$work/node.log" >&2; exit 1; }
  sleep 0.1
done

status=0
echo '| link | operation | with the codec, GB/s of raw bytes | without | ratio (pairs) | stored ratio |'
echo '|---|---|---|---|---|---|'
for rate in "${rates[@]}"; do
  for side in "$near c0" "$far n0"; do
    read -r space device <<<"$side"
    # 64 KiB frames leave whole; the bucket holds some of them, the queue a few milliseconds.
    tc -n "$space" qdisc replace dev "$device" root tbf rate "$rate" burst 512kb latency 20ms
  done
  for op in "${ops[@]}"; do
    ip netns exec "$near" "$binary" bench --op "$op" --codec "${CODEC:-bf16-lossless-fast}" \
      --connect tcp://10.111.0.2:7700 --pairs "${PAIRS:-5}" --data-bytes "${DATA_BYTES:-512MiB}" --json \
      ${more[@]+"${more[@]}"} >"$work/result.json" || status=1
    python3 - "$rate" "$op" "$work/result.json" <<'PY' || status=1
import json, sys
rate, op, path = sys.argv[1:]
result = json.load(open(path, encoding="utf-8"))
least, most = result["ratio_range"]
print(f'| {rate} | {op} | {result["value"]:.3f} | {result["ceiling"]["value"]:.3f} | '
      f'{result["ratio"]:.2f} ({least:.2f} to {most:.2f}) | {result["details"]["stored_ratio"]:.3f} |', flush=True)
PY
  done
done
exit "$status"
