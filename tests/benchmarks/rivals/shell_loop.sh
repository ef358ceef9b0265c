#!/bin/sh
# A loop over the aws command. usage: shell_loop.sh QUEUE_URL CONCURRENCY COMMAND [ARG]...
queue=$1 concurrency=$2
shift 2
one() {
  while :; do
    set -- $(aws sqs receive-message --endpoint-url "$AWS_ENDPOINT_URL" --queue-url "$queue" \
      --wait-time-seconds 1 --query 'Messages[0].[ReceiptHandle,Body]' --output text)
    [ "$1" = None ] || [ -z "$1" ] && continue
    Message=$3 "$COMMAND" && aws sqs delete-message --endpoint-url "$AWS_ENDPOINT_URL" \
      --queue-url "$queue" --receipt-handle "$1 $2"
  done
}
COMMAND=$1
for _ in $(seq "$concurrency"); do one & done
wait
