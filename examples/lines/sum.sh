#!/bin/sh
# A stdio program: it reads lines and writes lines, and knows nothing of the server.
# `httpsocketd --stdio examples/lines/sum.sh`, or `make run` and http://localhost:8080/lines/sum
total=0
while read -r number; do
    case $number in
    '' | *[!0-9]*) echo "not a number: $number" ;;
    *) total=$((total + number)) && echo "in all $total" ;;
    esac
done
