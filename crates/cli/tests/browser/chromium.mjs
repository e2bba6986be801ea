// Drives a headless Chromium through its DevTools protocol, over a pipe: no library, no port.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Several times what a step takes on a busy machine.
const PATIENCE_MS = 60_000;
// No page has so many stops of the tabulator.
const STEPS_MAX = 200;

export class Chromium {
  #process;
  #home;
  #next = 0;
  #waiting = new Map();
  #listeners = [];
  #rest = "";

  constructor() {
    this.#home = mkdtempSync(join(tmpdir(), "coffre-browser-"));
    this.#process = spawn("chromium", [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
      "--remote-debugging-pipe", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--hide-scrollbars",
      "--force-color-profile=srgb", "--font-render-hinting=none", "--ignore-certificate-errors",
      `--user-data-dir=${this.#home}`,
    ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.#process.stdio[4].on("data", (data) => this.#take(data));
    this.#process.on("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("chromium ended"));
    });
  }

  #take(data) {
    const parts = (this.#rest + data).split("\0");
    this.#rest = parts.pop();
    for (const part of parts) {
      const message = JSON.parse(part);
      const waiting = this.#waiting.get(message.id);
      if (waiting) {
        this.#waiting.delete(message.id);
        if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
        else waiting.resolve(message.result);
      } else {
        for (const listener of [...this.#listeners]) listener(message);
      }
    }
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, method });
      this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  listen(listener) {
    this.#listeners.push(listener);
    return () => { this.#listeners = this.#listeners.filter((it) => it !== listener); };
  }

  // A tab with cookies of its own.
  async open(options) {
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, sessionId, options);
    await tab.prepare();
    return tab;
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    // Asked to end it takes its helpers along.
    this.send("Browser.close").catch(() => this.#process.kill("SIGKILL"));
    await ended;
    // Its helpers may write for a moment longer.
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

export class Tab {
  // What the pages did that they must not: errors, broken policy, requests to elsewhere.
  complaints = [];
  // Clicks since it was last set to 0.
  clicks = 0;

  constructor(browser, session, { language = "en", dark = false, width = 1280, height = 800, host }) {
    Object.assign(this, { browser, session, language, dark, width, height, host });
  }

  call(method, params) {
    return this.browser.send(method, params, this.session);
  }

  async prepare() {
    this.browser.listen((message) => {
      if (message.sessionId === this.session) this.#hear(message);
    });
    for (const domain of ["Page", "Runtime", "Network", "Log"]) await this.call(`${domain}.enable`);
    await this.call("Network.setExtraHTTPHeaders", { headers: { "Accept-Language": this.language } });
    await this.look({ dark: this.dark, width: this.width, height: this.height });
  }

  async look({ dark = this.dark, width = this.width, height = this.height }) {
    Object.assign(this, { dark, width, height });
    await this.call("Emulation.setDeviceMetricsOverride",
      { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.call("Emulation.setEmulatedMedia",
      { features: [
        { name: "prefers-color-scheme", value: dark ? "dark" : "light" },
        // Else a colour on its way from one theme to the other counts as one with too little contrast.
        { name: "prefers-reduced-motion", value: "reduce" },
      ] });
  }

  #hear({ method, params }) {
    if (method === "Runtime.exceptionThrown") {
      this.complaints.push(`error: ${params.exceptionDetails.text} ${params.exceptionDetails.exception?.description}`);
    } else if (method === "Log.entryAdded" && params.entry.source === "security") {
      this.complaints.push(`security: ${params.entry.text}`);
    } else if (method === "Page.javascriptDialogOpening") {
      this.complaints.push(`dialog: ${params.message}`);
    } else if (method === "Network.requestWillBeSent" && this.host) {
      const url = new URL(params.request.url);
      // Pictures of the browser itself come as data.
      if (url.protocol !== "data:" && url.host !== this.host) this.complaints.push(`a request to ${params.request.url}`);
    }
  }

  // Waits for the load event of the page that `act` leads to.
  async #loads(act) {
    const loaded = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the page did not load")), PATIENCE_MS);
      const stop = this.browser.listen((message) => {
        if (message.sessionId === this.session && message.method === "Page.loadEventFired") {
          clearTimeout(timer);
          stop();
          resolve();
        }
      });
    });
    await act();
    await loaded;
  }

  async go(address) {
    await this.#loads(() => this.call("Page.navigate", { url: address }));
  }

  async run(script) {
    const answer = await this.call("Runtime.evaluate",
      { expression: script, awaitPromise: true, returnByValue: true });
    if (answer.exceptionDetails) {
      throw new Error(`${script}: ${answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text}`);
    }
    return answer.result.value;
  }

  // Clicks with the mouse in the middle of the first element that the selector finds, as a person
  // would: what is covered, disabled or not shown cannot be clicked.
  async click(selector) {
    const spot = await this.run(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      if (!element) throw new Error("nothing like " + ${JSON.stringify(selector)} + " in " + document.title);
      element.scrollIntoView({ block: "center" });
      const box = element.getBoundingClientRect();
      const x = box.x + box.width / 2, y = box.y + box.height / 2;
      const hit = document.elementFromPoint(x, y);
      if (!hit || !(element.contains(hit) || hit.contains(element))) throw new Error("covered: " + ${JSON.stringify(selector)});
      return { x, y };
    })()`);
    this.clicks += 1;
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.call("Input.dispatchMouseEvent", { type, ...spot, button: "left", clickCount: 1 });
    }
  }

  // The same, and waits for the page that it leads to.
  async follow(selector) {
    await this.#loads(() => this.click(selector));
  }

  // The same by the keyboard.
  async enter(selector) {
    await this.reach(selector);
    await this.#loads(() => this.key("Enter"));
  }

  // A key of the keyboard.
  async key(key) {
    const text = { Enter: "\r", " ": " " }[key];
    for (const type of ["keyDown", "keyUp"]) {
      const [code, known] = { Tab: ["Tab", 9], Enter: ["Enter", 13], " ": ["Space", 32], ArrowDown: ["ArrowDown", 40], Escape: ["Escape", 27] }[key];
      await this.call("Input.dispatchKeyEvent", { type, key, code, windowsVirtualKeyCode: known, text });
    }
  }

  // Goes on with the tabulator until the element has the focus, as somebody without a mouse does. A
  // radio button is reached with the arrows of its group, which choose it.
  async reach(selector) {
    const at = (what) => this.run(`document.activeElement.matches(${JSON.stringify(what)})`);
    const group = await this.run(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      if (!element) throw new Error("nothing like " + ${JSON.stringify(selector)} + " in " + document.title);
      return element.type === "radio" ? element.name : "";
    })()`);
    const goal = group ? `input[name="${group}"]` : selector;
    for (let steps = 0; !(await at(goal)); steps += 1) {
      if (steps > STEPS_MAX) throw new Error(`${selector} cannot be reached with the keyboard`);
      await this.key("Tab");
    }
    for (let steps = 0; !(await at(selector)); steps += 1) {
      if (steps > STEPS_MAX) throw new Error(`${selector} cannot be chosen with the arrows`);
      await this.key("ArrowDown");
    }
    const seen = await this.run(`(() => {
      const box = document.activeElement.getBoundingClientRect();
      const style = getComputedStyle(document.activeElement);
      const beside = document.activeElement.nextElementSibling;
      const ring = (it) => it && getComputedStyle(it).outlineStyle !== "none";
      return box.bottom > 0 && box.top < innerHeight && (ring(document.activeElement) || ring(beside) || style.boxShadow !== "none");
    })()`);
    if (!seen) throw new Error(`${selector} has the focus and nobody sees it`);
  }

  // Types into a field that has the focus, in the place of what is there.
  async type(text) {
    await this.run("document.activeElement.select()");
    await this.call("Input.insertText", { text });
  }

  async fill(selector, text) {
    await this.run(`(() => {
      const field = document.querySelector(${JSON.stringify(selector)});
      field.focus();
      field.value = ${JSON.stringify(text)};
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    })()`);
  }

  // Waits until a condition in the page holds.
  async until(condition, what = condition) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      // While a page is replaced there is nothing to ask.
      const holds = await this.run(condition).catch(() => false);
      if (holds) return;
      if (Date.now() > end) throw new Error(`never: ${what}\n${await this.run("document.body.innerText")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async text() {
    return this.run("document.body.innerText");
  }

  async path() {
    return this.run("location.pathname");
  }

  // A picture of the page, whole or as the window shows it.
  async picture(file, { whole = false, format = "png" } = {}) {
    // What is out of sight is loaded late: not in a picture of all.
    if (whole) {
      await this.run(`for (const it of document.images) it.loading = "eager"`);
      await this.until(`[...document.images].every((it) => it.complete && it.naturalWidth > 0)`, "all pictures are there");
    }
    const { data } = await this.call("Page.captureScreenshot", {
      format, captureBeyondViewport: whole, ...(format === "webp" ? { quality: 80 } : {}),
      ...(whole ? { clip: { ...(await this.#size()), x: 0, y: 0, scale: 1 } } : {}),
    });
    writeFileSync(file, Buffer.from(data, "base64"));
  }

  async #size() {
    const { cssContentSize } = await this.call("Page.getLayoutMetrics");
    return { width: cssContentSize.width, height: cssContentSize.height };
  }
}
