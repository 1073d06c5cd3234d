#!/bin/sh
# Arguments with a name come first, plain ones after them.
for argument; do
    printf 'argument: %s\n' "$argument"
done
while [ $# -gt 0 ]; do
    case $1 in
    --*) shift ;;
    *) break ;;
    esac
done
echo "Hello, $1!"
