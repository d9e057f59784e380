#!/usr/bin/env bash
# Asks a node's HTTP endpoint whether the process works: exit status 0 if it answers 200. Bash alone, so that the image
# needs no HTTP client.
#
#   healthcheck.sh [HOST:PORT [PAGE]]      default: INCIPIT_HTTP or 127.0.0.1:9401, and /healthz
set -euo pipefail

endpoint=${1:-${INCIPIT_HTTP:-127.0.0.1:9401}}
page=${2:-/healthz}
host=${endpoint%:*}
port=${endpoint##*:}
# A node that listens everywhere listens on loopback too.
case $host in '' | 0.0.0.0 | '*' | '[::]') host=127.0.0.1 ;; esac
host=${host#[}
host=${host%]}

exec 3<>"/dev/tcp/$host/$port"
printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$page" "$host" >&3
read -r -t 4 _ status _ <&3
if [ "$status" != 200 ]; then
  echo "healthcheck: $page of $endpoint answers $status" >&2
  exit 1
fi
