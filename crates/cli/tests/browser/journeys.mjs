// Two journeys, a restore and an undelete, in three languages, as people do them with a mouse and a keyboard.
//
// One argument: JSON with `url`, `name`, `secret`, `machines` (three names for each language), `logs` (the machine whose
// guest has a log), `pictures` (a folder), `axe` (the checker's file), `labels` (the words of the pictures in the guides) and
// `guide` (a folder for those pictures; none = take none, and compare). Ends with 1 and the reason when anything is not as it
// should be.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Chromium } from "./chromium.mjs";

const wishes = JSON.parse(process.argv[2]);
const axe = readFileSync(wishes.axe, "utf8");
// The screens of the first article: state, address, what it shows. Each must have a picture.
const STATES = JSON.parse(readFileSync(new URL("states.json", import.meta.url), "utf8"));
const host = new URL(wishes.url).host;

// What a page has to say; the rest of its words are checked by other tests.
const WORDS = {
  en: { completed: "Completed", pending: "Warning (Initial backup pending)" },
  es: { completed: "Completado", pending: "Advertencia (copia de seguridad inicial pendiente)" },
  fr: { completed: "Terminé", pending: "Avertissement (sauvegarde initiale en attente)" },
};
// Another look for each language, so that all of them are seen.
const LOOKS = {
  en: { width: 1280, height: 800, dark: false },
  es: { width: 1280, height: 800, dark: true },
  fr: { width: 1600, height: 900, dark: false },
};
// Words of the screens in the guides, as they were when the pictures were taken.
const labels = {};
// Who has no mouse.
const BY_KEYBOARD = "fr";
const GUIDE = new Set(["vm-menu-enable-backup", "backup-item-view-update", "vm-validated-click-enable",
  "backup-policy-weekly", "context-menu"]);
const PHONE = { width: 390, height: 844 };
const EVIL = "<img src=x onerror=alert(1)>\"'&</title><script>alert(2)</script>";

function must(holds, what) {
  if (!holds) throw new Error(what);
}

// A person with a browser: what they see is kept as pictures and asked by axe.
class Person {
  constructor(tab, language) {
    Object.assign(this, { tab, language, words: WORDS[language], found: [], pages: 0, seen: new Map() });
    this.by_keyboard = language === BY_KEYBOARD;
    this.folder = join(wishes.pictures, language);
    mkdirSync(this.folder, { recursive: true });
  }

  go(path) {
    return this.tab.go(wishes.url + path);
  }

  // Leads to another page: a link or a button.
  follow(selector) {
    return this.by_keyboard ? this.tab.enter(selector) : this.tab.follow(selector);
  }

  // Does something on the page: a button that leads nowhere.
  async press(selector) {
    if (!this.by_keyboard) return this.tab.click(selector);
    await this.tab.reach(selector);
    await this.tab.key("Enter");
  }

  // Chooses a tick, a radio button or a menu.
  async choose(selector) {
    if (!this.by_keyboard) return this.tab.run(`document.querySelector(${JSON.stringify(selector)}).click()`);
    await this.tab.reach(selector);
    const chosen = await this.tab.run(`document.activeElement.type === "radio"`);
    if (!chosen) await this.tab.key(" ");
  }

  async fill(selector, text) {
    if (!this.by_keyboard) return this.tab.fill(selector, text);
    await this.tab.reach(selector);
    await this.tab.type(text);
  }

  async see(...states) {
    const address = await this.tab.run("location.pathname + location.search");
    for (const state of states) {
      await this.tab.picture(join(this.folder, `${state}.png`));
      const known = STATES.find((it) => it.state === state);
      must(!known || is_at(known.at, address), `${state} was seen at ${address}, not at ${known?.at}`);
      this.seen.set(state, address);
    }
    for (const state of states.filter((it) => GUIDE.has(it))) await this.for_guide(state);
    await this.ask_axe(states[0]);
  }

  // Pictures of the guides are all of one look. A picture is old when its screen has other words now.
  async for_guide(state) {
    const words = await this.tab.run(`[...document.querySelectorAll("main :is(h2, th, dt, legend, button, summary, .button)")]
      .map((it) => it.innerText.trim().replaceAll(/\\s+/g, " ")).filter((it) => it !== "")`);
    labels[`${this.language}-${state}`] = [...new Set(words)].sort();
    if (!wishes.guide) return;
    write_labels();
    const { dark, width, height } = this.tab;
    await this.tab.look({ dark: false, width: 1280, height: 900 });
    // Rows that are narrower are higher: its button would be below the end.
    if (state === "vm-validated-click-enable") await this.tab.run("window.scrollTo(0, document.documentElement.scrollHeight)");
    // What it rested on may have moved, and another row would be lit.
    await this.tab.call("Input.dispatchMouseEvent", { type: "mouseMoved", x: 0, y: 0 });
    await this.tab.picture(join(wishes.guide, `${this.language}-${state}.webp`), { format: "webp" });
    await this.tab.look({ dark, width, height });
  }

  async see_small(state, prepare = () => {}) {
    const { width, height } = this.tab;
    await this.tab.look(PHONE);
    await prepare();
    const overflow = await this.tab.run(`document.documentElement.scrollWidth - ${PHONE.width}`);
    must(overflow <= 0, `${state}: the page is ${overflow} px wider than a phone`);
    await this.see(state);
    await this.tab.look({ width, height });
  }

  async ask_axe(state) {
    this.pages += 1;
    await this.tab.run(`${axe}\n;0`);
    const broken = await this.tab.run(`axe.run(document, { resultTypes: ["violations"] }).then((it) => it.violations.map((v) =>
      ({ id: v.id, impact: v.impact, at: v.nodes.slice(0, 3).map((node) => node.target.join(" ")) })))`);
    for (const violation of broken) this.found.push({ state, ...violation });
  }

  async sign_in() {
    await this.go("/portal/");
    await this.see("sign-in");
    await this.fill("[name=name]", wishes.name);
    await this.fill("[name=secret]", wishes.secret);
    await this.follow(".alone .button.primary");
    this.tab.clicks = 0;
  }

  async job_completes() {
    must(/^\/portal\/jobs\//.test(await this.tab.path()), `no job: ${await this.tab.path()}`);
    await this.tab.until(`!document.querySelector("[data-live]") && document.querySelector("main").innerText.includes(${JSON.stringify(this.words.completed)})`,
      "the job completes");
  }

  async link_of(row, ending) {
    return this.tab.run(`[...document.querySelectorAll("tr")].find((it) => it.innerText.includes(${JSON.stringify(row)}))
      ?.querySelector(${JSON.stringify(`a[href${ending}]`)})?.getAttribute("href")`);
  }
}

// Whether an address is one of a kind: `{…}` stands for one part of the path or for any value.
function is_at(kind, address) {
  const [path, query] = kind.split("?"), [at, asked] = address.split("?");
  const parts = path.split("/"), there = at.split("/");
  const fits = parts.length === there.length && parts.every((part, i) => part.startsWith("{") || part === there[i]);
  const keys = new URLSearchParams(asked);
  return fits && [...new URLSearchParams(query)].every(([key]) => keys.has(key));
}

// A page that shows every state with its address and its picture in each language, to look at.
function write_table(people) {
  const row = ({ state, at, shows }) => `<tr><th>${state}<p>${shows}<p><code>${at.replaceAll("<", "&lt;")}</code></th>${
    people.map(({ language }) => `<td><img loading="lazy" src="${language}/${state}.png" alt="${state} (${language})"></td>`).join("")}</tr>`;
  writeFileSync(join(wishes.pictures, "index.html"), `<!doctype html><meta charset="utf-8"><title>States</title>
<style>th { width: 16rem; text-align: left; vertical-align: top; font: 0.8rem sans-serif } img { width: 100% } td { width: 28% }</style>
<table>${STATES.map(row).join("\n")}</table>`);
  for (const { language, folder, seen } of people) {
    const missing = STATES.map((it) => it.state).filter((it) => !seen.has(it) || !existsSync(join(folder, `${it}.png`)));
    must(missing.length === 0, `${language}: no picture of ${missing}`);
  }
}

function write_labels() {
  writeFileSync(join(wishes.guide, "labels.json"), `${JSON.stringify(labels, null, 1)}\n`);
}

// The pictures of the guides show what the screens say, or they are taken again.
function compare_guide() {
  if (wishes.guide) return;
  const taken = JSON.parse(readFileSync(wishes.labels, "utf8"));
  for (const [picture, words] of Object.entries(labels)) {
    const then = taken[picture];
    if (!then) {
      console.log(`the picture ${picture} of the guides is older than its list of words: not compared`);
      continue;
    }
    const other = [...words.filter((it) => !then.includes(it)), ...then.filter((it) => !words.includes(it))];
    must(other.length === 0, `the picture ${picture} of the guides is old (${other}): take them again with ` +
      "COFFRE_GUIDE_PICTURES=$PWD/crates/portal/static/guide cargo test -p coffre-cli --test e2e browser");
  }
  must(Object.keys(labels).length === GUIDE.size * Object.keys(WORDS).length, "every picture of the guides was compared");
}

// From a machine's row to its first backup.
async function journey_1(person, machine) {
  const { tab } = person;
  await person.see("open-vm-from-hub");
  let form = await person.link_of(machine, `$="/protect"`);
  if (!form) {
    // The first page shows some machines; the list is a click away.
    await person.follow(`.nav a[href="/portal/vms"]`);
    form = await person.link_of(machine, `$="/protect"`);
  }
  must(form, `no way to protect ${machine} from the list`);
  await person.follow(`a[href="${form}"]`);
  await person.see("vm-menu-enable-backup");
  await person.see_small("vm-menu-enable-backup-small");
  await person.follow(`main form[method=post] .button.primary`);
  must(person.by_keyboard || tab.clicks <= 3, `${tab.clicks} clicks from the first page to the backup`);
  console.log(`${person.language}: journey 1 took ${person.by_keyboard ? "no mouse" : `${tab.clicks} clicks`} after signing in`);
  await person.see("enable-backup-notification");
  await person.job_completes();
  await person.see("job-completed");
  await person.go("/portal/vms");
  await person.see("list-of-vms");
  await person.see_small("list-of-vms-small");
  await person.go(`/portal/vms?find=${machine}`);
  await tab.run(`document.querySelector("main table a.name").focus()`);
  await person.see("list-of-vms-selected");
  await person.follow("main table a.name");
  await person.see("vm-management-menu");
  await person.follow("main .commands .button.primary");
  await person.see("backup-item-view-update", "backup-now-update");
  const item = await tab.path();
  await person.follow(`a[href="${item}/backup"]`);
  await person.see("backup-now-blade-short");
  await tab.run(`document.querySelector("#until").focus()`);
  await person.see("backup-now-blade-calendar");
  await person.go("/portal/vms");
  return item;
}

async function new_vault(person, name) {
  const { tab } = person;
  await person.go("/portal/vaults");
  await person.see("open-rs-vault-list", "list-of-rs-vault");
  await person.follow(`main a[href="/portal/vaults/new"]`);
  await person.see("rs-vault-menu", "rs-vault-step-3");
  // What somebody types that is no name stays text, beside the rule.
  await person.fill("#name", EVIL);
  await person.follow("main form[method=post] .button.primary");
  must(await tab.run(`document.querySelector("#name").value`) === EVIL, "the name was not kept");
  await person.see("rs-vault-wrong-name");
  await person.fill("#name", name);
  await person.follow("main form[method=post] .button.primary");
  const vault = await tab.path();
  await person.see("new-vault-settings-blade", "backup-button");
  await tab.run(`document.querySelector("[name=redundancy]").scrollIntoView({ block: "center" })`);
  await person.see("set-storage-configuration-update", "set-storage-config-bkup-infra", "set-storage-open-infra");
  await person.choose("input[value=LocallyRedundant]");
  await person.follow(`form[action$="/redundancy"] .button`);
  must(await tab.run(`document.querySelector("input[value=LocallyRedundant]").checked`), "the choice was not kept");
  await person.see("choose-storage-configuration");
  await person.go("/portal/vaults");
  await person.see("refresh-button", "rs-vault-list", "rs-list-of-vaults");
  return vault;
}

async function new_policy(person, vault) {
  const { tab } = person;
  await person.go(`${vault}/protect`);
  await person.see("select-backup-goal-1", "select-backup-goal-2");
  await person.follow(`a[href*="/policy-new"]`);
  await person.see("setting-rs-backup-policy-new", "backup-policy");
  await tab.run(`document.querySelector("#forecast").closest("section").scrollIntoView({ block: "end" })`);
  await person.see("backup-policy-daily");
  await person.fill("#zone", "Nowhere/Land");
  await person.fill("#policy-name", "Weekly-12");
  await person.press("form.sentence .actions .button.primary");
  await tab.until(`document.querySelector("#wrong-zone")`, "the rule beside the field");
  await person.see("backup-policy-wrong-zone");
  await person.fill("#zone", "Europe/Madrid");
  await person.choose("input[name=frequency][value=weekly]");
  await person.choose("input[name=weekly]");
  await person.fill("#instant", "5");
  // What was there before the last change is a daily policy.
  await tab.until(`document.querySelector("#preview path.chart-2") && !document.querySelector("#preview path.chart-1")`,
    "the forecast of a weekly policy is there");
  await person.see("backup-policy-weekly");
  await person.see_small("backup-policy-small");
  await person.follow("form.sentence .actions .button.primary");
  must((await tab.path()) === `${vault}/protect`, "saving leads back to the form");
  must(await tab.run(`document.querySelector("input[value='Weekly-12']").checked`), "the new policy is chosen");
}

// Several machines at once, from their vault.
async function journey_2(person, name, machines) {
  const { tab } = person;
  const vault = await new_vault(person, name);
  await new_policy(person, vault);
  await person.see("set-backup-policy");
  await tab.run(`document.querySelector("main tr:has(input:disabled)").scrollIntoView({ block: "center" })`);
  await person.see("select-vms-to-backup");
  for (const machine of machines) {
    const value = await tab.run(`[...document.querySelectorAll("tr")].find((it) => it.innerText.includes(${JSON.stringify(machine)})).querySelector("input").value`);
    await person.choose(`input[name=vm][value="${value}"]`);
  }
  await person.choose("[name=start]");
  await tab.run(`document.querySelector("form.wide-form .actions").scrollIntoView({ block: "end" })`);
  await person.see("vm-validated-click-enable", "enable-backup-button");
  await person.follow("form.wide-form .actions .button.primary");
  must((await tab.path()) === vault, "enabling leads to the vault");
  must((await tab.text()).includes(person.words.pending), `the vault does not say ${person.words.pending}`);
  await person.see("initial-backup-not-run", "backup-items-not-run", "rs-vault-config-vm-back-up-now-1");
  await person.go("/portal/items");
  await person.see("back-up-items-list");
  const item = await person.link_of(machines[0], `^="/portal/items/"`);
  const dots = `[popovertarget="menu-${item.split("/").pop()}"]`;
  await person.press(dots);
  await tab.until(`document.querySelector(".popmenu:popover-open")`, "the menu opens");
  await person.see("context-menu", "back-up-items-list-selected");
  await person.see_small("context-menu-small", async () => {
    await tab.run(`document.querySelector(${JSON.stringify(dots)}).scrollIntoView({ block: "center" })`);
    await tab.until(`document.querySelector(".popmenu:popover-open")?.checkVisibility()`, "the menu is still open");
  });
  if (!(await tab.run(`!!document.querySelector(".popmenu:popover-open")`))) await person.press(dots);
  await person.follow(`.popmenu:popover-open a[href="${item}/backup"]`);
  await person.see_small("context-menu-small-backup-now");
  await person.follow("main form[method=post] .button.primary");
  await person.job_completes();
  await person.go(vault);
  await person.see("open-backup-jobs-1");
  await person.see_small("vault-small");
  await person.go("/portal/jobs");
  await person.see("backup-jobs-in-jobs-view-1");
  return { vault, item };
}

async function restore(person, item) {
  const { tab } = person;
  await person.go(item);
  await tab.follow(`main a[href$="/restore"]`);
  await person.see("restore");
  await tab.follow("main form[method=post] .button.primary");
  await person.job_completes();
  await person.see("restore-completed");
}

async function undelete(person, item) {
  const { tab } = person;
  await person.go(item);
  await tab.follow(`a[href="${item}/stop"]`);
  await tab.run(`document.querySelector("input[value=delete]").click(); document.querySelector("[name=sure]").click()`);
  await person.see("stop-and-delete");
  await tab.follow("main form[method=post] .button.danger");
  await person.go(item);
  await person.see("item-deleted");
  await tab.follow(`form[action="${item}/undelete"] button`);
  await person.go(item);
  must(!(await tab.run(`!!document.querySelector('form[action$="/undelete"]')`)), "it is still deleted");
  must(await tab.run(`!!document.querySelector('a[href$="/restore"]')`), "its points are back");
  await person.see("item-undeleted");
}

// Pages that no journey leads to: `kept` is protected, and the protection of `item` was stopped.
async function the_rest(person, { vault, item, kept }) {
  await person.go(`/portal/vms?find=${wishes.logs}`);
  const vm = await person.tab.run(`document.querySelector("main table a.name").getAttribute("href")`);
  for (const [state, path] of [
    ["welcome", "/portal/welcome"], ["overview", "/portal/"], ["settings", "/portal/settings"],
    ["access", "/portal/settings/access"], ["password", "/portal/settings/password"],
    ["activity", "/portal/activity"], ["guards", "/portal/guards"], ["guest-log", `${vm}/log`], ["guides", "/portal/guides"],
    ["guide-first-look", "/portal/guides/first-look"], ["guide-extension", "/portal/guides/vm-snapshot"], ["costs", `${vault}/costs?price=0.02`], ["stop", `${kept}/stop`],
    ["change-policy", `${kept}/policy`], ["resume-protection", `${item}/policy`], ["item", kept], ["no-page", "/portal/no-such-page"],
  ]) {
    await person.go(path);
    await person.tab.picture(join(person.folder, `${state}.png`), { whole: true });
    await person.see_small(`${state}-small`);
  }
}

// The whole way with the keyboard alone: sign-in, the skip link, the menu of the person.
async function keyboard(person) {
  const { tab } = person;
  await person.go("/portal/");
  await tab.key("Tab");
  must(await tab.run(`document.activeElement.className === "skip"`), "the first stop is the link to the content");
  await tab.key("Enter");
  must(await tab.run(`document.activeElement.id === "content"`), "the skip link leads to the content");
  await tab.key("Tab");
  must(await tab.run(`document.querySelector("main").contains(document.activeElement)`), "the next stop is in the content");
}

// What ended is counted, and the page is told when it ends.
async function notifications(person) {
  const { tab } = person;
  await person.go("/portal/notifications");
  await tab.until(`document.querySelector(".bell .badge")`, "the bell counts what ended");
  await person.see("notifications");
  await person.see_small("notifications-small");
  await tab.follow(`form[action="/portal/notifications/read"] button`);
  must(!(await tab.run(`!!document.querySelector(".bell .badge")`)), "all was seen");
  await tab.until(`typeof told !== "undefined" && told`, "the service tells the page what changes");
}

const browser = new Chromium();
const people = [];
try {
  for (const language of Object.keys(WORDS)) {
    const [alone, ...several] = wishes.machines[language];
    const tab = await browser.open({ language, host, ...LOOKS[language] });
    const person = new Person(tab, language);
    people.push(person);
    await person.sign_in();
    must((await tab.run("document.documentElement.lang")) === language, `the pages are not in ${language}`);
    const kept = await journey_1(person, alone);
    const places = await journey_2(person, `shop-${language}`, several);
    await restore(person, places.item);
    await undelete(person, places.item);
    await the_rest(person, { ...places, kept });
    await notifications(person);
    await keyboard(person);
    must(tab.complaints.length === 0, `${language}: ${tab.complaints.join("\n")}`);
    const serious = person.found.filter((it) => it.impact === "serious" || it.impact === "critical");
    must(serious.length === 0, `${language}: axe found ${JSON.stringify(serious, null, 1)}`);
    console.log(`${language}: axe looked at ${person.pages} screens: none serious; ${person.found.length} lesser: ${[...new Set(person.found.map((it) => `${it.id} on ${it.state}`))]}`);
  }
  write_table(people);
  compare_guide();
  console.log(`${STATES.length} states in ${people.length} languages: ${join(wishes.pictures, "index.html")}`);
} catch (error) {
  console.error(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
