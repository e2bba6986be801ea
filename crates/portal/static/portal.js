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

// Live parts: an element with data-live is replaced by what that address answers, until the
// answer no longer asks for it. A hidden page does not ask.
const LIVE_EVERY_MS = 2000;

function refresh(id) {
  const old = document.getElementById(id);
  if (!old || !old.dataset.live) return;
  if (document.hidden) return later(id);
  const request = new XMLHttpRequest();
  request.open("GET", old.dataset.live);
  request.setRequestHeader("X-Portal-Fragment", "1");
  // The browser parses the answer into a document; nothing in it runs.
  request.responseType = "document";
  request.onload = () => {
    const fresh = request.response && request.response.getElementById(id);
    if (request.status !== 200 || !fresh) return location.reload();
    // Focus would be lost with the old nodes: leave them until the person moves on.
    if (old.contains(document.activeElement)) return later(id);
    old.replaceWith(document.adoptNode(fresh));
    later(id);
  };
  // The service may be restarting.
  request.onerror = () => later(id);
  request.send();
}

function later(id) {
  setTimeout(() => refresh(id), LIVE_EVERY_MS);
}

for (const element of document.querySelectorAll("[data-live]")) later(element.id);

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
for (const element of document.querySelectorAll("time[datetime]")) {
  const time = new Date(element.dateTime);
  if (!Number.isNaN(time.getTime())) {
    element.title = time.toLocaleString(document.documentElement.lang,
      { dateStyle: "medium", timeStyle: "long" });
  }
}

// On a phone the navigation is a line: where somebody is must be in sight.
const here = document.querySelector(".nav [aria-current]");
if (here) {
  const line = here.closest(".nav");
  line.scrollLeft = here.offsetLeft - (line.clientWidth - here.offsetWidth) / 2;
}

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
