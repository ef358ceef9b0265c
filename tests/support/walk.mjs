// Walks through a site in Chromium with the keyboard alone, and prints what it sees as JSON.
//
//   node walk.mjs CHROMIUM MODULES WIDTH light|dark STEPS
//
// STEPS is a JSON list: ["open", url], ["press", name], ["tick", name], ["choose", name],
// ["type", name, text], ["focus", name], ["await", words], ["run", script].
// `press` has to lead to another page. Each page that is reached is shown to axe-core.
import { createRequire } from "node:module";

const [chromium, modules, width, scheme, steps] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const puppeteer = require("puppeteer-core");
const axe = require("axe-core");
const PATIENCE = { timeout: 20_000 };

const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
});
const page = await browser.newPage();
const [seen, violations, complaints] = [[], [], []];
page.on("console", (line) => complaints.push(line.text()));
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("dialog", (dialog) => complaints.push(`dialog ${dialog.message()}`) && dialog.dismiss());
await page.setViewport({ width: Number(width), height: 900 });
await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);

const DO = {
  open: (url) => page.goto(url, PATIENCE).then(checked),
  press: (name) => reach(name).then(() => leads(() => page.keyboard.press("Enter"))),
  tick: (name) => reach(name).then(() => page.keyboard.press("Space")),
  choose: (name) => reach(name).then(() => page.keyboard.press("ArrowDown")),
  type: (name, text) => reach(name).then(() => write(text)),
  focus: (name) => reach(name),
  await: (words) =>
    page.waitForFunction((sought) => document.body.innerText.includes(sought), PATIENCE, words),
  run: (script) => page.evaluate(script),
};
for (const [what, ...words] of JSON.parse(steps)) {
  const said = await DO[what](...words);
  seen.push(what === "run" ? said : await page.evaluate(() => document.body.innerText));
}
await browser.close();
console.log(JSON.stringify({ seen, violations, complaints }));

async function leads(act) {
  await Promise.all([page.waitForNavigation(PATIENCE), act()]);
  await checked();
}

async function checked() {
  const session = await page.createCDPSession(); // which no policy holds back
  await session.send("Runtime.evaluate", { expression: axe.source });
  const found = await page.evaluate(() => axe.run());
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  const named = found.violations.map((each) => `${each.id} ${each.nodes[0].html}`);
  if (wide > Number(width)) named.push(`is ${wide} wide`);
  violations.push(...named.map((each) => `${page.url()}: ${each}`));
}

async function reach(name) {
  const met = [];
  for (let step = 0; step < 80; step += 1) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate(() => {
      const { ariaLabel, labels, textContent } = document.activeElement;
      return (ariaLabel || labels?.[0]?.textContent || textContent).trim();
    });
    if (here.startsWith(name)) return;
    met.push(here);
  }
  throw new Error(`the Tab key does not reach ${name} on ${page.url()}; it reaches ${met}`);
}

async function write(text) {
  await page.keyboard.down("Control");
  await page.keyboard.press("KeyA");
  await page.keyboard.up("Control");
  await page.keyboard.type(text);
}
