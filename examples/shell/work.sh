#!/bin/sh
# Counts the words of a message. It is on standard input, whatever its size, and in $Message where
# it fits. $WATCHBOT_SCRATCH is a directory for this job alone.
set -eu
cat > "$WATCHBOT_SCRATCH/text"
echo "$(wc -w < "$WATCHBOT_SCRATCH/text") words in message $MessageId"
