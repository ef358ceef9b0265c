// sqs-consumer with child_process.spawn, as many consumers as make CONCURRENCY in hand.
// usage: node consumer.mjs QUEUE_URL CONCURRENCY COMMAND [ARG]...
import { spawn } from "node:child_process";
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const [queueUrl, concurrency, command, ...args] = process.argv.slice(2);
const sqs = new SQSClient({});
const run = (message) =>
  new Promise((resolve, reject) => {
    const worker = spawn(command, args, { env: { ...process.env, Message: message.Body } });
    worker.on("error", reject);
    worker.on("close", (code) => (code === 0 ? resolve(message) : reject(new Error(code))));
  });
const batchSize = Math.min(10, Math.ceil(Number(concurrency) / 2));
for (let hand = 0; hand < Number(concurrency); hand += batchSize) {
  Consumer.create({
    queueUrl,
    sqs,
    batchSize,
    waitTimeSeconds: 20,
    handleMessageBatch: (messages) => Promise.all(messages.map(run)),
  }).start();
}
