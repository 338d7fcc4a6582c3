// Makes the page nicer; it works without. The server's pages are fetched and shown in place: whatever has
// `data-task` opens in a dialog, whatever has `data-swap` changes the page, and a form's answer takes the page's place.

const root = document.documentElement;
const live = document.getElementById("live");
export const dialog = document.createElement("dialog");
let then = ""; // what is shown once the dialog is closed, where the page is older than what was done in it
let opener = ""; // id of what opened the dialog

root.classList.add("script");
document.body.append(dialog);

// --- Fetching -----------------------------------------------------------------------------------------------------

let reading = null; // what aborts a page that is being fetched, for one that is asked for later

async function fetchPage(url, options = {}) {
  reading?.abort();
  reading = options.method === "POST" ? null : new AbortController();
  const signal = reading?.signal;
  root.classList.add("busy");
  (dialog.open ? dialog : page()).setAttribute("aria-busy", "true");
  try {
    const response = await fetch(url, { ...options, signal, credentials: "same-origin" });
    const doc = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!doc.getElementById("page")) throw new Error("not a page of ours: a proxy answered");
    return { doc, url: response.url };
  } catch {
    if (!signal?.aborted) fail(!signal);
    return null;
  } finally {
    if (!signal?.aborted) {
      root.classList.remove("busy");
      for (const busy of document.querySelectorAll("[aria-busy]")) busy.removeAttribute("aria-busy");
    }
  }
}

function fail(sent) {
  const text = sent
    ? "The server could not be reached, so nobody knows whether this was done. Check your connection and try again: nothing happens twice."
    : "The server could not be reached. Check your connection and try again.";
  note(text);
}

// Above the form that was sent, which keeps what was typed.
function note(text) {
  const place = dialog.querySelector(".task-body") ?? document.getElementById("main");
  document.getElementById("network-error")?.remove();
  const box = document.createElement("div");
  box.className = "note bad";
  box.id = "network-error";
  box.setAttribute("role", "alert");
  box.append(Object.assign(document.createElement("p"), { textContent: text }));
  place.prepend(box);
  box.scrollIntoView({ block: "nearest" });
}

async function go(url, { remember = true } = {}) {
  const answer = await fetchPage(url);
  if (!answer) return;
  if (remember && answer.url !== location.href) history.pushState(null, "", answer.url);
  swap(answer.doc);
}

async function openTask(url, options) {
  const answer = await fetchPage(url, options);
  if (!answer) return;
  const task = answer.doc.querySelector(".task");
  if (task?.matches(".error-task") && options && dialog.querySelector(".task-form")) note(task.querySelector("[data-error]").textContent);
  else if (task) showTask(task);
  else finish(answer.doc);
}

// --- Showing ------------------------------------------------------------------------------------------------------

const page = () => document.getElementById("page");

function swap(doc) {
  const focused = document.activeElement?.id;
  const hadFocus = document.activeElement && document.activeElement !== document.body;
  page().replaceWith(doc.getElementById("page"));
  document.title = doc.title;
  prepare(page());
  const next = (focused && document.getElementById(focused)) || (hadFocus && document.getElementById("main"));
  if (next) next.focus({ preventScroll: true });
}

export function showTask(task) {
  if (!dialog.open) opener = document.activeElement?.closest(".pop")?.id.replace("actions-", "menu-") || document.activeElement?.id || "";
  document.querySelector(".pop:popover-open")?.hidePopover();
  dialog.replaceChildren(task);
  dialog.setAttribute("aria-labelledby", "task-title");
  dialog.setAttribute("aria-describedby", "task-text");
  then = task.dataset.then ?? then;
  prepare(dialog);
  if (!dialog.open) dialog.showModal();
  const error = dialog.querySelector("[data-focus], #form-error");
  (error?.matches("fieldset") ? error.querySelector("input") : error ?? dialog.querySelector("[autofocus]") ?? dialog.querySelector("h1"))?.focus();
  if ("copyNow" in task.dataset) copy(task.querySelector("[data-copy-from]"));
}

// What a form answered that is not another task: the page with a banner, or the sign-in.
function finish(doc) {
  then = "";
  if (dialog.open) dialog.close();
  const { at } = doc.getElementById("page").dataset;
  if (at) history.replaceState(null, "", at);
  swap(doc);
  const banner = document.getElementById("banner");
  const back = document.getElementById(opener);
  (back ?? banner ?? document.querySelector("[autofocus]") ?? document.getElementById("main")).focus({ preventScroll: true });
  banner?.scrollIntoView({ block: "nearest" });
  if (banner) say([...banner.querySelectorAll("p, li")].map((each) => each.textContent.trim()).join(". "));
}

function say(text) {
  live.textContent = "";
  setTimeout(() => { live.textContent = text; }, 50);
}

dialog.addEventListener("close", async () => {
  if (dialog.open) return; // the event comes a moment later: another task may be shown by now
  dialog.replaceChildren();
  const next = then;
  then = "";
  if (next) await go(next, { remember: false });
  document.getElementById(opener)?.focus();
});

// A secret that is shown only once, and was not copied yet, is not lost by a slip: each way out is asked about first.
function leave(meant = false) {
  const warning = dialog.querySelector("[data-shown-once] #leaving");
  if (!warning || meant) return dialog.close();
  warning.hidden = false;
  warning.focus();
  warning.scrollIntoView({ block: "nearest" });
}

function keep() {
  const once = dialog.querySelector("[data-shown-once]");
  if (!once) return;
  delete once.dataset.shownOnce;
  once.querySelector("#leaving").hidden = true;
}

dialog.addEventListener("cancel", (event) => {
  if (!dialog.querySelector("[data-shown-once]")) return;
  event.preventDefault();
  leave();
});

document.addEventListener("copy", () => {
  const secret = document.getElementById("secret-text");
  if (secret && getSelection().containsNode(secret, true)) keep();
});

addEventListener("beforeunload", (event) => {
  if (document.querySelector("[data-shown-once]")) event.preventDefault();
});

// --- Clicks and forms ---------------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const target = event.target.closest("a, button, label, input");
  if (!target && event.target.closest(".keys tbody tr") && getSelection().isCollapsed) {
    event.target.closest("tr").querySelector("[data-row]").click();
    return;
  }
  if (event.target.matches?.("[data-select]")) selectRange(event.target, event.shiftKey);
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const data = target.dataset;
  const act = (what) => { event.preventDefault(); what(); };
  if ("copy" in data) act(() => copy(target));
  else if ("copyFrom" in data || "copyLink" in data) act(() => copy(target));
  else if ("append" in data) act(() => append(document.getElementById(data.append), data.line));
  else if ("leave" in data) act(() => leave(true));
  else if ("close" in data && dialog.open) act(() => leave());
  else if ("fold" in data) act(() => fold(target));
  else if ("dismiss" in data) act(() => { target.closest(".banner").remove(); document.getElementById("main").focus({ preventScroll: true }); });
  else if ("choose" in data) act(() => choose(target, data.choose === "all"));
  else if ("names" in data) act(() => choosePreset(target));
  else if ("selectNone" in data) act(() => selectAll(false));
  else if ("task" in data && target.href) act(() => openTask(target.href));
  else if ("swap" in data) act(() => go(target.href));
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if ("plain" in form.dataset) return;
  event.preventDefault();
  if (form.method === "post" && root.classList.contains("busy")) return;
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  const action = event.submitter?.hasAttribute("formaction") ? event.submitter.formAction : form.action;
  if (form.method === "post") openTask(action, { method: "POST", body: fields });
  else if ("task" in form.dataset) openTask(`${form.action}?${fields}`);
  else go(`${form.action}${filtered(fields)}`);
});

// The filters' query. Of a secret that was pasted into the search, only the id goes into the URL.
function filtered(fields) {
  for (const [name, value] of [...fields]) if (!value || (name === "sort" && value === "-created")) fields.delete(name);
  const secret = /^[a-z][a-z0-9_]*_([0-9A-Za-z]{12})_[0-9A-Za-z]{49}$/.exec(fields.get("search")?.trim() ?? "");
  if (secret) fields.set("search", secret[1]);
  return fields.size ? `?${fields}` : "";
}

document.addEventListener("change", (event) => {
  const { dataset, checked, form } = event.target;
  if ("selectAll" in dataset) selectAll(checked);
  else if ("select" in dataset || "all" in dataset) countSelected();
  else if ("submit" in dataset) form.requestSubmit();
  else if (event.target.name === "permission") countChosen(event.target.closest("[data-picker]"));
});

addEventListener("popstate", () => go(location.href, { remember: false }));

// Arrow keys walk through a menu.
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".menu") ?? document.querySelector(".menu:popover-open");
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (!menu?.matches(":popover-open") || !(event.key in steps)) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll("a, button")];
  const place = items.indexOf(document.activeElement);
  items.at((place + steps[event.key] + (place < 0 && event.key === "ArrowUp" ? 1 : 0)) % items.length).focus();
});

// --- Copying ------------------------------------------------------------------------------------------------------

async function copy(button) {
  const source = document.getElementById(button.dataset.copyFrom);
  const { copy: plain, copyLink: path } = button.dataset;
  const text = source?.textContent.trim() ?? (path ? new URL(path, location.href).href : plain);
  if (!(await toClipboard(text, button))) {
    if (source) getSelection().selectAllChildren(source);
    say("The browser does not let this page copy. The text is selected: copy it yourself.");
    return;
  }
  const label = button.querySelector("[data-label]");
  label.dataset.before ??= label.textContent;
  label.textContent = "Copied";
  button.classList.add("copied");
  if (source?.id === "secret-text") keep();
  say("Copied");
  clearTimeout(Number(label.dataset.timer));
  label.dataset.timer = setTimeout(() => {
    label.textContent = label.dataset.before;
    button.classList.remove("copied");
  }, 2500);
}

async function toClipboard(text, beside) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // not a secure context, or not allowed
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
    beside.after(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    beside.focus();
    return done;
  }
}

function append(area, line) {
  area.value = [...area.value.split(/\s*\n\s*/).filter(Boolean), line].join("\n");
  area.dispatchEvent(new Event("input", { bubbles: true }));
  area.focus();
}

// --- Selecting keys -----------------------------------------------------------------------------------------------

const boxes = () => [...document.querySelectorAll("[data-select]")];

function selectAll(checked) {
  for (const box of boxes()) box.checked = checked;
  countSelected();
}

let lastSelected = null;

// With Shift, everything from the box that was ticked before to this one.
function selectRange(box, isRange) {
  const all = boxes();
  const [from, to] = [all.indexOf(lastSelected), all.indexOf(box)].sort((a, b) => a - b);
  if (isRange && from >= 0) for (const each of all.slice(from, to + 1)) each.checked = box.checked;
  lastSelected = box;
  countSelected();
}

function fold(button) {
  const isOpen = document.getElementById(button.dataset.fold).classList.toggle("open");
  button.setAttribute("aria-expanded", isOpen);
}

function countSelected() {
  const bulk = document.getElementById("bulk");
  if (!bulk) return;
  const count = boxes().filter((box) => box.checked).length;
  bulk.classList.toggle("shown", count > 0);
  const everything = bulk.querySelector("[data-all]");
  bulk.classList.toggle("all-on-page", count > 0 && count === boxes().length);
  if (everything && count < boxes().length) everything.checked = false;
  const told = everything?.checked ? everything.dataset.all : count;
  bulk.querySelector(".bulk-count").textContent = `${told} selected`;
  const all = document.querySelector("[data-select-all]");
  all.checked = count > 0 && count === boxes().length;
  all.indeterminate = count > 0 && !all.checked;
  if (count) say(`${told} selected`);
}

// --- Picking permissions ------------------------------------------------------------------------------------------

const choices = (within) => [...within.querySelectorAll("input[name=permission]:not([type=hidden], :disabled)")];

function choose(button, checked) {
  const picker = button.closest("[data-picker]");
  for (const box of choices(button.closest("[data-group]") ?? picker)) if (box.closest("label").offsetParent) box.checked = checked;
  countChosen(picker);
}

function choosePreset(button) {
  const picker = button.closest("[data-picker]");
  const names = new Set(button.dataset.names.split(" "));
  for (const box of choices(picker)) box.checked = names.has(box.value);
  countChosen(picker);
}

function countChosen(picker) {
  const all = picker.querySelectorAll("input[type=checkbox][name=permission]");
  const count = [...all].filter((box) => box.checked).length;
  picker.querySelector("[data-count]").textContent = `${count} of ${all.length} selected`;
  picker.querySelector("[data-choices]").textContent = choices(picker).filter((box) => box.closest("label").offsetParent).length;
}

function filterChoices(input) {
  const picker = input.closest("[data-picker]");
  const words = input.value.toLowerCase().split(/\s+/);
  let shown = 0;
  for (const group of picker.querySelectorAll("[data-group]")) {
    const before = shown;
    for (const choice of group.querySelectorAll("[data-text]")) {
      choice.hidden = !words.every((word) => choice.dataset.text.includes(word));
      shown += choice.hidden ? 0 : 1;
    }
    group.hidden = shown === before;
  }
  picker.querySelector("[data-no-match]").hidden = shown > 0;
  picker.querySelector("[data-choices]").textContent = shown;
  say(`${shown} match`);
}

document.addEventListener("input", (event) => {
  if ("filter" in event.target.dataset) filterChoices(event.target);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && "filter" in event.target.dataset) event.preventDefault(); // it would send the form
});

// --- Moments in the visitor's own time zone ------------------------------------------------------------------------

const DAY = { day: "numeric", month: "short", year: "numeric" };
const TIME = { ...DAY, hour: "2-digit", minute: "2-digit" };
const FULL = { ...TIME, second: "2-digit", timeZoneName: "short" };
const told = (style) => new Intl.DateTimeFormat("en-GB", style);
const styles = { date: told(DAY), time: told(TIME) };
const full = told(FULL);

function prepare(within) {
  for (const time of within.querySelectorAll("time[data-style]")) {
    const moment = new Date(time.dateTime);
    time.title = full.format(moment);
    if (time.dataset.style in styles) time.textContent = styles[time.dataset.style].format(moment).replace("Sept", "Sep");
  }
  for (const line of within.querySelectorAll("[data-origin]")) line.textContent = line.textContent.replace("https://this.host", location.origin);
  if (!CSS.supports("position-area", "block-end")) for (const pop of within.querySelectorAll(".pop")) pop.addEventListener("toggle", place);
  countSelected();
}

// Where the browser cannot anchor a popover by itself.
function place(event) {
  if (event.newState !== "open") return;
  const pop = event.target;
  const anchor = document.querySelector(`[popovertarget="${pop.id}"]`).getBoundingClientRect();
  const start = pop.matches(".menu") ? anchor.right - pop.offsetWidth : anchor.left;
  const below = anchor.bottom + pop.offsetHeight < innerHeight;
  pop.style.left = `${Math.max(8, Math.min(start, innerWidth - pop.offsetWidth - 8))}px`;
  pop.style.top = `${below ? anchor.bottom : Math.max(8, anchor.top - pop.offsetHeight - 10)}px`;
}

prepare(page());

// Another site's link led here, without the session's cookie: what this page asks for itself has it.
if (document.querySelector("[data-ask-again]")) location.replace(location.href);
