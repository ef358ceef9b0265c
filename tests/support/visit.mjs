// Visits pages in Chromium, and prints what it finds as JSON.
//
//   node visit.mjs CHROMIUM MODULES WIDTH light|dark look|keyboard|measure URL...
//
// look: what axe-core finds, the page's width, and what the browser complained about.
// keyboard: the names of all that the Tab key reaches, in order.
// measure: the page's width, broken pictures, links to no place on it, and complaints.
import { createRequire } from "node:module";

const [chromium, modules, width, scheme, how, ...urls] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const puppeteer = require("puppeteer-core");
const axe = require("axe-core");

const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
});
const WAYS = { look, keyboard, measure };
const found = {};
const complaints = [];
const page = await browser.newPage();
page.on("console", (line) => complaints.push(line.text()));
page.on("pageerror", (error) => complaints.push(String(error)));
await page.setViewport({ width: Number(width), height: 900 });
await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
for (const url of urls) {
  complaints.length = 0;
  await page.goto(url, { waitUntil: "load" });
  found[url] = await WAYS[how]([...complaints]);
}
await browser.close();
console.log(JSON.stringify(found));

async function look(said) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  const session = await page.createCDPSession(); // which no policy holds back
  await session.send("Runtime.evaluate", { expression: axe.source });
  const violations = await page.evaluate(async () => {
    const report = await axe.run();
    return report.violations.map((each) => [
      each.id,
      each.nodes.map((node) => `${node.html} ${node.failureSummary}`),
    ]);
  });
  return { violations, wide, complaints: said };
}

async function keyboard() {
  const names = [];
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press("Tab");
    const name = await page.evaluate(() => {
      const here = document.activeElement;
      if (!here || here === document.body) return null;
      const seen = getComputedStyle(here).outlineStyle !== "none";
      return (here.textContent.trim() || here.name || here.ariaLabel) + (seen ? "" : " (not seen)");
    });
    if (name === null) break;
    names.push(name);
  }
  return names;
}

async function measure(said) {
  const measured = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    broken: [...document.images].filter((each) => !each.naturalWidth).map((each) => each.src),
    astray: [...document.querySelectorAll('a[href^="#"]')]
      .map((each) => decodeURIComponent(each.hash.slice(1)))
      .filter((id) => id && !document.getElementById(id)),
  }));
  return { ...measured, complaints: said };
}
