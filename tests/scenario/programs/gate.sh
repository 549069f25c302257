#!/bin/sh
# Notes that it was started in the folder that the query names, and answers when
# somebody opens the gate (a FIFO) there.
echo $$ >>"$QUERY_STRING/started"
read -r _ <"$QUERY_STRING/gate"
echo
exec >&-
echo "pid $$" >&3
while read -r _ <&3; do :; done
