#!/bin/sh
echo "ending with $1"
exit "$1"
