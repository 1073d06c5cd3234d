#!/bin/sh
# traceroute.sh HOST [HOPS] [QUERIES]
command -v traceroute >/dev/null || { echo "traceroute is not installed on $(hostname)" >&2; exit 127; }
exec traceroute -m "${2:-30}" -q "${3:-3}" -- "$1"
