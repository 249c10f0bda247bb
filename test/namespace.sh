#!/bin/sh
# Runs $REAL_NODE with these arguments in a network namespace of its own, and with a /run of its own for the namespaces
# that it makes in turn: nothing of it touches the machine's, and all of it ends with it. Root does so as it is; anybody
# else in a user namespace, as root of that: with root's programs on the path, which are not on every user's.
set -e
export PATH="$PATH:/usr/sbin:/sbin"
if [ "$1" = inside ]; then
  shift
  mount -t tmpfs tmpfs /run
  ip link set lo up
  exec "$REAL_NODE" "$@"
fi
if [ "$(id -u)" = 0 ]; then exec unshare --net --mount -- "$0" inside "$@"; fi
exec unshare --user --map-root-user --net --mount -- "$0" inside "$@"
