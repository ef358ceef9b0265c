// Shows times in the reader's zone, and loads a page again while nobody types in it.
"use strict";
for (const element of document.querySelectorAll("time[datetime]")) {
  const at = new Date(element.dateTime);
  const pad = (number) => String(number).padStart(2, "0");
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  const hour = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  element.title = element.textContent;
  element.textContent = at.toDateString() === new Date().toDateString() ? hour : `${day} ${hour}`;
}
const seconds = Number(document.body.dataset.refresh);
if (seconds) {
  setInterval(() => {
    const typing = document.activeElement && document.activeElement.matches("input, textarea, select");
    const opened = document.querySelector("details[open]");
    if (!document.hidden && !typing && !opened) location.reload();
  }, seconds * 1000);
}
