#!/bin/bash
# A signalling server, and an owner that is reached by it. The end of either ends both; asked to
# end, the owner goes first, so that it sends what waits.
set -u
# Each in a group of its own, so that Ctrl-C comes to this script alone, and is passed on once.
set -m

hustings-broker &
broker=$!
hustings host "$@" &
host=$!

asked=
trap 'asked=yes; kill -TERM "$host" 2>/dev/null' TERM INT
trap 'kill -HUP "$host" 2>/dev/null' HUP

# A signal that was passed on interrupts the wait.
while kill -0 "$host" 2>/dev/null && kill -0 "$broker" 2>/dev/null; do
  wait -n "$host" "$broker"
done

kill -TERM "$host" 2>/dev/null
wait "$host"
code=$?
kill -TERM "$broker" 2>/dev/null
wait "$broker"
if [ "$code" = 0 ] && [ -z "$asked" ]; then
  echo "error: the signalling server has ended, and the owner with it" >&2
  code=1
fi
exit "$code"
