#!/bin/sh
# Ends either side of the ucx lane at moments that nobody chose, and looks at what the other one makes of it.
#   kill_peers.sh INCIPIT [HOST DEVICES TRANSPORTS [ROUNDS [BLOCKS]]]
# Plain sh: it also runs in the guest of run_softroce.sh, whose only tools are busybox's. Prints one line a check and
# "kill_peers: N checks, M failed"; exits with 0 if none failed.
set -u
incipit=$1
host=${2:-127.0.0.1}
devices=${3:-lo}
transports=${4:-tcp}
rounds=${5:-40}
blocks=${6:-32}
bound_s=20 # keepalive (transport/ucx/ucx_config.h), its probes, and slow machines
dir=$(mktemp -d)
node= getter=
trap 'kill -9 $node $getter 2>/dev/null; rm -rf "$dir"' EXIT
checks=0 failed=0
layout="--layout custom:16x2048 --block-tokens 32" # blocks of 1 MiB

check() { # WHAT COMMAND...
  what=$1
  shift
  checks=$((checks + 1))
  if "$@"; then echo "ok      $what"; else
    failed=$((failed + 1))
    echo "FAILED  $what"
  fi
}
start_node() {
  rm -f "$dir/ready"
  "$incipit" serve --listen 127.0.0.1:0 --http none --listen-ucx "$host:0" --ucx-devices "$devices" \
    --ucx-transports "$transports" --insecure --shards 1 --ram 96MiB --no-huge-pages --ready-file "$dir/ready" \
    >"$dir/node.log" 2>&1 &
  node=$!
  tries=0
  while [ ! -s "$dir/ready" ] && [ $tries -lt 600 ] && kill -0 $node 2>/dev/null; do
    sleep 0.1
    tries=$((tries + 1))
  done
  tcp=$(sed -n 1p "$dir/ready")
  ucx=$(sed -n 2p "$dir/ready")
}
get() { "$incipit" get --connect "$ucx" --file "$dir/prompt" $layout --random 1 "$@" >"$dir/get.log" 2>&1; }
put() {
  "$incipit" put --connect "$ucx" --file "$dir/prompt" $layout --random 1 --timeout-ms 60000 >"$dir/put.log" 2>&1
}
alive() { kill -0 $node 2>/dev/null; }
sessions_gone() { # but for that of `status` itself
  start=$(date +%s)
  while [ $(($(date +%s) - start)) -le $bound_s ]; do
    count=$("$incipit" status --connect "$tcp" --json | tr -d ' ,' | sed -n 's/^"sessions"://p' | head -1)
    [ "$count" = 1 ] && return 0
    sleep 0.2
  done
  return 1
}
ends_with_an_error() { # not with success, not by a signal, and in time
  start=$(date +%s)
  get --timeout-ms 3000
  status=$?
  [ $status -gt 0 ] && [ $status -lt 124 ] && [ $(($(date +%s) - start)) -le $bound_s ]
}

# Four bytes a token, 32 tokens a block.
dd if=/dev/urandom of="$dir/prompt" bs=128 count="$blocks" 2>/dev/null
shm_before=$(ls /dev/shm | wc -l)
start_node
check "node serves the ucx lane" [ -n "$ucx" ]
check "blocks are stored" put
check "and loaded, every byte right" get --timeout-ms 60000

survived=0
i=0
while [ $i -lt "$rounds" ]; do
  get &
  getter=$!
  sleep "0.0$((i % 10))$((i * 7 % 10))"
  kill -9 $getter 2>/dev/null
  wait $getter 2>/dev/null
  alive && survived=$((survived + 1))
  i=$((i + 1))
done
check "node survives $rounds clients killed ($survived)" [ $survived = "$rounds" ]
check "their sessions end within $bound_s s" sessions_gone
check "the next client loads, every byte right" get --timeout-ms 60000

kill -STOP $node
check "a stopped node is an error within the client's deadline" ends_with_an_error
kill -CONT $node
check "and serves again afterwards" get --timeout-ms 60000

get --timeout-ms 20000 &
getter=$!
sleep 0.05
kill -9 $node
wait $node 2>/dev/null
start=$(date +%s)
wait $getter
status=$?
check "a killed node ends the client's load without a crash ($status)" [ $status -lt 124 ]
check "within $bound_s s" [ $(($(date +%s) - start)) -le $bound_s ]
check "and is an error to the next one" ends_with_an_error
start_node
check "a new node is filled" put
check "and loaded from, every byte right" get --timeout-ms 60000
kill -TERM $node
wait $node
check "it stops in order ($?)" [ $? = 0 ]
check "nothing is left in /dev/shm" [ "$(ls /dev/shm | wc -l)" = "$shm_before" ]

echo "kill_peers: $checks checks, $failed failed"
[ $failed = 0 ]
