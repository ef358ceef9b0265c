// Asks the search of a built site, and prints the first three pages that it finds, as JSON.
//
//   node seek.mjs SITE WORD...
//
// It runs the script that a browser runs for the search, with the site's index.
import { readdirSync, readFileSync } from "node:fs";

const [site, ...words] = process.argv.slice(2);
const workers = `${site}/assets/javascripts/workers`;
const script = readdirSync(workers).find((name) => /^search\..*\.js$/.test(name));
const index = JSON.parse(readFileSync(`${site}/search/search_index.json`, "utf8"));
const [SETUP, QUERY] = [0, 2]; // kinds of messages to it

let hear;
let answer;
globalThis.self = globalThis;
globalThis.addEventListener = (_, listener) => (hear = listener);
globalThis.postMessage = (message) => answer(message.data);
new Function(readFileSync(`${workers}/${script}`, "utf8"))();

const ask = (type, data) =>
  new Promise((resolve) => {
    answer = resolve;
    hear({ data: { type, data } });
  });

await ask(SETUP, { ...index, options: { suggest: false } });
const found = {};
for (const word of words) {
  const { items } = await ask(QUERY, word);
  found[word] = items.slice(0, 3).map(([first]) => first.location.split("#")[0]);
}
console.log(JSON.stringify(found));
