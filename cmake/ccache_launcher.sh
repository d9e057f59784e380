#!/usr/bin/env bash
# ccache_launcher.sh SOURCE_DIR COMPILER ARGUMENTS...: compiles through ccache, so that one checkout of this tree
# serves another. Clang writes paths into precompiled headers, so beside each stands the checksum of what went into it,
# by which ccache tells it from others (pch_external_checksum).
set -euo pipefail
# Precompiled headers carry time stamps, which ccache must be told to overlook.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$1 CCACHE_PCH_EXTSUM=1
shift
# What is passed on by -Xclang ccache does not know for a path.
[[ " $* " != *" -Xclang "* ]] || set -- "${@/#$PWD\//}"

output='' dependencies='' previous=''
for argument in "$@"; do
  case $previous in
    -o) output=$argument ;;
    -MF) dependencies=$argument ;;
  esac
  previous=$argument
done

ccache "$@"

[[ $output == *.pch ]] || exit 0
# "target: header header \": every word but the first names a file, none of which holds a space.
mapfile -t files < <(sed -e 's/^[^:]*://' -e 's/\\$//' "$dependencies" | tr -s ' ' '\n' | grep -v '^$')
{
  printf '%s\n' "${@//$CCACHE_BASEDIR/}"
  cat "${files[@]}"
} | sha256sum >"$output.sum"
