#!/bin/sh
# One numbered job: "number exit-code receives-that-fail failing-code nap". One line is one write.
read -r number code early fails nap
[ "$ApproximateReceiveCount" -gt "$early" ] || code=$fails
echo "$number $$ $PPID start $ApproximateReceiveCount" >> "$CHAOS_LEDGER"
[ "$nap" = 0 ] || sleep "$nap"
echo "$number $$ $PPID end $code" >> "$CHAOS_LEDGER"
exit "$code"
