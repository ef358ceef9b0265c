#!/bin/sh
# Sums lists of numbers, one message after the other, in one process. A line on descriptor 3 answers
# a message: an exit code, and words for the notice.
while IFS= read -r message; do
	if sum=$(printf '%s' "$message" | jq -e '.Message | fromjson | .numbers | add' 2>/dev/null); then
		echo "worker $WATCHBOT_WORKER: the sum is $sum"
		echo 0 >&3
	else
		echo "3 not a list of numbers" >&3
	fi
done
