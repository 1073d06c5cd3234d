#!/bin/sh
# Draws a bar by returning to the line's start (no line end until it is full), then prints a prompt without one.
steps=20
interval=0.1
for argument; do
    case $argument in
    --steps=*) steps=${argument#*=} ;;
    --interval=*) interval=${argument#*=} ;;
    esac
done

bar=
step=0
while [ "$step" -lt "$steps" ]; do
    step=$((step + 1))
    bar="$bar#"
    printf '\r[%-*s] %3d%%' "$steps" "$bar" $((step * 100 / steps))
    sleep "$interval"
done
printf '\nSatisfied? [y/N] '
sleep "$interval"
printf 'y\n'
