// Sums lists of numbers, one message after the other, in one process. A line on descriptor 3
// answers a message: an exit code, and words for the notice.
const fs = require("node:fs");
const readline = require("node:readline");

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  try {
    const { numbers } = JSON.parse(JSON.parse(line).Message);
    const total = numbers.reduce((sum, number) => sum + number, 0);
    fs.writeSync(1, `worker ${process.env.WATCHBOT_WORKER}: the sum is ${total}\n`);
    fs.writeSync(3, "0\n");
  } catch (error) {
    fs.writeSync(3, `3 not a list of numbers: ${error.message.split("\n")[0]}\n`);
  }
});
