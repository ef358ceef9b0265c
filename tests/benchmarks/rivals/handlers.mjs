// sqs-consumer whose handler runs in its own process, and does nothing.
// usage: node handlers.mjs QUEUE_URL message|batch
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const [queueUrl, kind] = process.argv.slice(2);
const sqs = new SQSClient({});
const handler =
  kind === "batch"
    ? { handleMessageBatch: async (messages) => messages }
    : { handleMessage: async (message) => message };
for (let hand = 0; hand < 2; hand++)
  Consumer.create({ queueUrl, sqs, batchSize: 10, waitTimeSeconds: 20, ...handler }).start();
