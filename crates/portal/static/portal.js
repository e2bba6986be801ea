// Comfort only: every page works without it. No inline handlers, no HTML made from strings.
"use strict";

// "Copy" buttons: the text of the element that data-copy names goes to the clipboard.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    const label = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = label; }, 2000);
  } catch {
    // Without the right to write to the clipboard the text is at least selected.
    window.getSelection().selectAllChildren(source);
  }
});

// Lists of choices that decide what else the form shows are sent as soon as they change.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
});

// Live parts. An element with data-live is replaced by what that address answers, until the answer
// no longer asks for it; one with data-told only when the service says that a job changed. The
// service says it on one connection, which only a page in sight holds; without it pages ask.
const ASK_EVERY_MS = 2000;
const ASK_WHEN_TOLD_MS = 15000;
const timers = new Map();
let source = null;
let told = false;

function renew(id) {
  const old = document.getElementById(id);
  const address = old && (old.dataset.live || old.dataset.told);
  if (!address) return;
  // Focus and an open menu would be lost with the old nodes: leave them until the person moves on.
  if (document.hidden || old.contains(document.activeElement) || old.querySelector(":popover-open")) return later(id);
  const request = new XMLHttpRequest();
  request.open("GET", address);
  request.setRequestHeader("X-Portal-Fragment", "1");
  // The browser parses the answer into a document; nothing in it runs.
  request.responseType = "document";
  request.onload = () => {
    const fresh = request.response && request.response.getElementById(id);
    if (request.status !== 200 || !fresh) {
      // The session is over, or what was live is gone; a list that cannot be had now stays.
      return old.dataset.live || request.status === 401 ? location.reload() : undefined;
    }
    const now = document.getElementById(id);
    if (now && !now.contains(document.activeElement)) {
      now.replaceWith(document.adoptNode(fresh));
      localTimes(document.getElementById(id));
    }
    later(id);
  };
  // The service may be restarting.
  request.onerror = () => later(id);
  request.send();
}

function later(id) {
  const element = document.getElementById(id);
  clearTimeout(timers.get(id));
  if (element && element.dataset.live) {
    timers.set(id, setTimeout(() => renew(id), told ? ASK_WHEN_TOLD_MS : ASK_EVERY_MS));
  }
}

function renewFor(jobs) {
  for (const element of document.querySelectorAll("[data-live], [data-told]")) {
    if (!jobs || !element.dataset.job || jobs.includes(element.dataset.job)) renew(element.id);
  }
}

function listen() {
  if (document.hidden) {
    if (source) source.close();
    source = null;
    told = false;
  } else if (!source && document.querySelector("[data-told]")) {
    let first = true;
    source = new EventSource("/portal/events");
    // What changed while nobody listened.
    source.onopen = () => { told = true; if (!first) renewFor(null); first = false; };
    source.onerror = () => { told = false; };
    source.addEventListener("jobs", (event) => renewFor(event.data.split(" ")));
  }
}

for (const element of document.querySelectorAll("[data-live]")) later(element.id);
document.addEventListener("visibilitychange", listen);
listen();

// Forms with data-preview: what they would do is shown beside them while somebody types.
const PREVIEW_AFTER_MS = 250;

for (const form of document.querySelectorAll("form[data-preview]")) {
  let timer = 0;
  let asked = 0;
  const ask = () => {
    const turn = ++asked;
    const request = new XMLHttpRequest();
    request.open("POST", form.dataset.preview);
    request.setRequestHeader("X-Portal-Fragment", "1");
    request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
    request.responseType = "document";
    request.onload = () => {
      const fresh = request.response && request.response.getElementById("preview");
      const old = document.getElementById("preview");
      // An answer that came late, or none because a field is not finished: what is there stays.
      if (turn === asked && request.status === 200 && fresh && old) {
        old.replaceWith(document.adoptNode(fresh));
      }
    };
    request.send(new URLSearchParams(new FormData(form)).toString());
  };
  form.addEventListener("input", (event) => {
    // What was wrong with the field is not known any more; sending the form says it again.
    if (event.target.getAttribute("aria-invalid")) {
      for (const id of (event.target.getAttribute("aria-describedby") || "").split(" ")) {
        const rule = document.getElementById(id);
        if (rule && rule.classList.contains("wrong")) rule.remove();
      }
      event.target.removeAttribute("aria-invalid");
      event.target.removeAttribute("aria-describedby");
    }
    clearTimeout(timer);
    timer = setTimeout(ask, PREVIEW_AFTER_MS);
  });
}

// Times are shown in UTC; the tooltip has them in the zone of the reader.
function localTimes(part) {
  for (const element of part.querySelectorAll("time[datetime]")) {
    const time = new Date(element.dateTime);
    if (!Number.isNaN(time.getTime())) {
      element.title = time.toLocaleString(document.documentElement.lang,
        { dateStyle: "medium", timeStyle: "long" });
    }
  }
}
localTimes(document);

// On a phone the navigation is a line: where somebody is must be in sight.
const here = document.querySelector(".nav [aria-current]");
if (here) {
  const line = here.closest(".nav");
  const show = () => { line.scrollLeft = here.offsetLeft - (line.clientWidth - here.offsetWidth) / 2; };
  show();
  window.addEventListener("resize", show);
}

// A form that came back begins at what is wrong with it.
const wrong = document.querySelector("main [aria-invalid=true]");
if (wrong) wrong.focus();

// One open menu at a time, closed by Escape or a click elsewhere.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll(".bar details[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(".bar details[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
