// Shows times in the reader's zone, and brings a page up to date while nobody works on it.
"use strict";
const main = document.querySelector("main");
const told = document.querySelector("#told");
let last = new Date();
showLocalTimes();
waitAndRefresh();
document.addEventListener("visibilitychange", () => document.hidden || refresh());

function clock(at) {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(":");
}

function twoDigits(number) {
  return String(number).padStart(2, "0");
}

function showLocalTimes() {
  for (const element of main.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    const day = `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())}`;
    const today = at.toDateString() === new Date().toDateString();
    element.title = element.textContent;
    element.textContent = today ? clock(at) : `${day} ${clock(at)}`;
  }
}

function waitAndRefresh() {
  const seconds = Number(document.body.dataset.refresh);
  if (seconds) setTimeout(() => refresh().finally(waitAndRefresh), seconds * 1000);
}

// Whether a refresh would take from the reader's hands: words, ticks, a selection, something open.
function inUse() {
  const typing = document.activeElement && document.activeElement.matches("input, textarea, select");
  const held = main.querySelector("details[open], input[type=checkbox]:checked");
  return Boolean(document.hidden || typing || held || !getSelection().isCollapsed);
}

async function refresh() {
  if (!document.body.dataset.refresh || inUse()) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const text = await answer.text();
    if (inUse()) return;
    show(new DOMParser().parseFromString(text, "text/html"));
    last = new Date();
    told.textContent = "";
  } catch (error) {
    told.textContent = `Not up to date: the console has not answered since ${clock(last)} (${error.message}).`;
  }
}

// Puts in the new content; the focus, and what was scrolled, stay where they were.
function show(page) {
  const [name, place] = focused();
  const scrolled = new Map(regions().map((each) => [each.ariaLabel, each.scrollLeft]));
  document.title = page.title;
  document.body.dataset.refresh = page.body.dataset.refresh || "";
  main.replaceChildren(...page.querySelector("main").childNodes);
  showLocalTimes();
  for (const each of regions()) each.scrollLeft = scrolled.get(each.ariaLabel) || 0;
  if (name) (named(name)[place] || named(name)[0] || main).focus({ preventScroll: true });
}

function regions() {
  return [...main.querySelectorAll("[role=region]")];
}

// What has the focus, by a name that it keeps when its text changes, and which one of that name.
function focused() {
  const here = document.activeElement;
  if (!main.contains(here) || here === main) return ["", 0];
  return [nameOf(here), named(nameOf(here)).indexOf(here)];
}

function named(name) {
  return [...main.querySelectorAll("a, button, [tabindex]")].filter((each) => nameOf(each) === name);
}

function nameOf(element) {
  const form = element.form ? element.form.getAttribute("action") : "";
  const region = element.closest("[role=region]");
  const facts = [element.tagName, element.getAttribute("href"), form, element.ariaLabel, element.value];
  return [region ? region.ariaLabel : "", ...facts].join(" ");
}
