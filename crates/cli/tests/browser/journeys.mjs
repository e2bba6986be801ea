// Two journeys, a restore and an undelete, in three languages, as people do them with a mouse and a keyboard.
//
// One argument: JSON with `url`, `name`, `secret`, `machines` (three names for each language), `pictures` (a folder), `axe`
// (the checker's file) and `guide` (a folder for the pictures of the guides; none = take none). Ends with 1 and the reason when anything is not as it should be.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Chromium } from "./chromium.mjs";

const wishes = JSON.parse(process.argv[2]);
const axe = readFileSync(wishes.axe, "utf8");
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
    Object.assign(this, { tab, language, words: WORDS[language], found: [], pages: 0 });
    this.folder = join(wishes.pictures, language);
    mkdirSync(this.folder, { recursive: true });
  }

  go(path) {
    return this.tab.go(wishes.url + path);
  }

  async see(...states) {
    for (const state of states) await this.tab.picture(join(this.folder, `${state}.png`));
    for (const state of states.filter((it) => GUIDE.has(it))) await this.for_guide(state);
    await this.ask_axe(states[0]);
  }

  // Pictures of the guides are all of one look.
  async for_guide(state) {
    if (!wishes.guide) return;
    const { dark, width, height } = this.tab;
    await this.tab.look({ dark: false, width: 1280, height: 800 });
    await this.tab.picture(join(wishes.guide, `${this.language}-${state}.webp`), { format: "webp" });
    await this.tab.look({ dark, width, height });
  }

  async see_small(state) {
    const { width, height } = this.tab;
    await this.tab.look(PHONE);
    const overflow = await this.tab.run("document.documentElement.scrollWidth - innerWidth");
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
    await this.tab.fill("[name=name]", wishes.name);
    await this.tab.fill("[name=secret]", wishes.secret);
    await this.tab.follow(".alone .button.primary");
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

// From a machine's row to its first backup.
async function journey_1(person, machine) {
  const { tab } = person;
  await person.see("open-vm-from-hub");
  let form = await person.link_of(machine, `$="/protect"`);
  if (!form) {
    // The first page shows some machines; the list is a click away.
    await tab.follow(`.nav a[href="/portal/vms"]`);
    form = await person.link_of(machine, `$="/protect"`);
  }
  must(form, `no way to protect ${machine} from the list`);
  await tab.follow(`a[href="${form}"]`);
  await person.see("vm-menu-enable-backup");
  await tab.follow(`main form[method=post] .button.primary`);
  must(tab.clicks <= 3, `${tab.clicks} clicks from the first page to the backup`);
  console.log(`${person.language}: journey 1 took ${tab.clicks} clicks after signing in`);
  await person.see("enable-backup-notification");
  await person.job_completes();
  await person.see("job-completed");
  await person.go("/portal/vms");
  await person.see("list-of-vms");
  await person.see_small("list-of-vms-small");
  await person.go(`/portal/vms?find=${machine}`);
  await person.see("list-of-vms-selected");
  await tab.follow("main table a.name");
  await person.see("vm-management-menu");
  await tab.follow("main .commands .button.primary");
  await person.see("backup-item-view-update", "backup-now-update");
  const item = await tab.path();
  await tab.follow(`a[href="${item}/backup"]`);
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
  await tab.follow(`main a[href="/portal/vaults/new"]`);
  await person.see("rs-vault-menu", "rs-vault-step-3");
  // What somebody types that is no name stays text, beside the rule.
  await tab.fill("#name", EVIL);
  await tab.follow("main form[method=post] .button.primary");
  must(await tab.run(`document.querySelector("#name").value`) === EVIL, "the name was not kept");
  await person.see("rs-vault-wrong-name");
  await tab.fill("#name", name);
  await tab.follow("main form[method=post] .button.primary");
  const vault = await tab.path();
  await person.see("new-vault-settings-blade", "backup-button");
  await tab.run(`document.querySelector("[name=redundancy]").scrollIntoView({ block: "center" })`);
  await person.see("set-storage-configuration-update", "set-storage-config-bkup-infra", "set-storage-open-infra");
  await tab.click("input[value=LocallyRedundant]");
  await tab.follow(`form[action$="/redundancy"] .button`);
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
  await tab.follow(`a[href*="/policy-new"]`);
  await person.see("setting-rs-backup-policy-new", "backup-policy", "backup-policy-daily");
  await tab.fill("#zone", "Nowhere/Land");
  await tab.fill("#policy-name", "Weekly-12");
  await tab.click("form.sentence .actions .button.primary");
  await tab.until(`document.querySelector("#wrong-zone")`, "the rule beside the field");
  await person.see("backup-policy-wrong-zone");
  await tab.fill("#zone", "Europe/Madrid");
  // The label lies over the radio button.
  await tab.run(`document.querySelector("input[name=frequency][value=weekly]").click()`);
  await tab.run(`document.querySelector("input[name=weekly]").click()`);
  await tab.fill("#instant", "5");
  await tab.until(`document.querySelector("#preview .calendar")`, "the forecast is there");
  await person.see("backup-policy-weekly");
  await person.see_small("backup-policy-small");
  await tab.follow("form.sentence .actions .button.primary");
  must((await tab.path()) === `${vault}/protect`, "saving leads back to the form");
  must(await tab.run(`document.querySelector("input[value='Weekly-12']").checked`), "the new policy is chosen");
}

// Several machines at once, from their vault.
async function journey_2(person, name, machines) {
  const { tab } = person;
  const vault = await new_vault(person, name);
  await new_policy(person, vault);
  await person.see("set-backup-policy", "select-vms-to-backup");
  for (const machine of machines) {
    await tab.run(`[...document.querySelectorAll("tr")].find((it) => it.innerText.includes(${JSON.stringify(machine)})).querySelector("input").click()`);
  }
  await tab.run(`document.querySelector("[name=start]").click()`);
  await tab.run(`document.querySelector("[name=start]").scrollIntoView()`);
  await person.see("vm-validated-click-enable", "enable-backup-button");
  await tab.follow("form.wide-form .actions .button.primary");
  must((await tab.path()) === vault, "enabling leads to the vault");
  must((await tab.text()).includes(person.words.pending), `the vault does not say ${person.words.pending}`);
  await person.see("initial-backup-not-run", "backup-items-not-run", "rs-vault-config-vm-back-up-now-1");
  await person.go("/portal/items");
  await person.see("back-up-items-list");
  const item = await person.link_of(machines[0], `^="/portal/items/"`);
  const dots = `[popovertarget="menu-${item.split("/").pop()}"]`;
  await tab.click(dots);
  await tab.until(`document.querySelector(".popmenu:popover-open")`, "the menu opens");
  await person.see("context-menu", "back-up-items-list-selected");
  await person.see_small("context-menu-small");
  if (!(await tab.run(`!!document.querySelector(".popmenu:popover-open")`))) await tab.click(dots);
  await tab.follow(`.popmenu:popover-open a[href="${item}/backup"]`);
  await person.see_small("context-menu-small-backup-now");
  await tab.follow("main form[method=post] .button.primary");
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

// Pages that no journey leads to.
async function the_rest(person, { vault, item }) {
  for (const [state, path] of [
    ["welcome", "/portal/welcome"], ["overview", "/portal/"], ["settings", "/portal/settings"],
    ["access", "/portal/settings/access"], ["password", "/portal/settings/password"],
    ["activity", "/portal/activity"], ["guides", "/portal/guides"],
    ["guide-first-look", "/portal/guides/first-look"], ["guide-extension", "/portal/guides/vm-snapshot"], ["costs", `${vault}/costs?price=0.02`], ["stop", `${item}/stop`],
    ["change-policy", `${item}/policy`], ["item", item], ["no-page", "/portal/no-such-page"],
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

const browser = new Chromium();
try {
  for (const language of Object.keys(WORDS)) {
    const [alone, ...several] = wishes.machines[language];
    const tab = await browser.open({ language, host, ...LOOKS[language] });
    const person = new Person(tab, language);
    await person.sign_in();
    must((await tab.run("document.documentElement.lang")) === language, `the pages are not in ${language}`);
    await journey_1(person, alone);
    const places = await journey_2(person, `shop-${language}`, several);
    await restore(person, places.item);
    await undelete(person, places.item);
    await the_rest(person, places);
    await keyboard(person);
    must(tab.complaints.length === 0, `${language}: ${tab.complaints.join("\n")}`);
    const serious = person.found.filter((it) => it.impact === "serious" || it.impact === "critical");
    must(serious.length === 0, `${language}: axe found ${JSON.stringify(serious, null, 1)}`);
    console.log(`${language}: axe looked at ${person.pages} screens: none serious; ${person.found.length} lesser: ${[...new Set(person.found.map((it) => it.id))]}`);
  }
} catch (error) {
  console.error(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
