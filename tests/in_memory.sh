#!/bin/sh
# Runs a command with its temporary files in memory, where 8 GB are free there and programs may be
# run from there: the tests write many small files, which take an eighth of their time on a disk.
# The files go with the command, unless it fails.
free=$(df -k --output=avail /dev/shm 2> /dev/null | tail -n 1 | tr -d ' ')
barred='^[^ ]* /dev/shm [^ ]* [^ ]*noexec'
if [ -z "$TMPDIR" ] && [ "${free:-0}" -ge 8000000 ] && ! grep -q "$barred" /proc/mounts; then
  TMPDIR=$(mktemp -d /dev/shm/persona-paradox-XXXXXX) || exit 1
  export TMPDIR
  memory=$TMPDIR
  trap : INT TERM
fi
"$@"
status=$?
if [ -n "$memory" ]; then
  if [ "$status" -eq 0 ]; then
    rm -rf "$memory"
  else
    echo "Files of tests that failed are in $memory, in memory: remove them when you have seen them."
  fi
fi
exit "$status"
