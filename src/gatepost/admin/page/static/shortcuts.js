// Single keys that do things, unless somebody types or has switched them off.

import { dialog, showTask } from "./page.js";

const SHORTCUTS = [["/", "Search"], ["n", "Add a key"], ["j or ↓", "Next key"], ["k or ↑", "Key before"], ["Enter", "Open it"], ["x", "Select it"], ["e", "Edit it"], [".", "Its menu"], ["?", "This help"]];
const OFF = "gatepost-shortcuts-off"; // people who dictate need to turn single keys off (WCAG 2.1.4)
const areOff = () => { try { return OFF in localStorage; } catch { return false; } };

function showHelp() {
  const task = document.createElement("section");
  task.className = "task";
  const rows = SHORTCUTS.map(([key, what]) => `<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`).join("");
  task.innerHTML = `<header class="task-head"><div><h1 id="task-title" tabindex="-1">Keyboard shortcuts</h1></div></header>
    <div class="task-body"><dl class="shortcuts">${rows}</dl><p class="field-hint">With Shift, a click on a box selects all from the one before.</p>
    <label class="check"><input type="checkbox" data-shortcuts> <span>Single keys do this</span></label></div>
    <footer class="task-foot"><button type="button" class="button" data-close autofocus>Close</button></footer>`;
  task.querySelector("[data-shortcuts]").checked = !areOff();
  showTask(task);
}

document.addEventListener("change", (event) => {
  if (!("shortcuts" in event.target.dataset)) return;
  try {
    if (event.target.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  } catch { /* the browser keeps nothing: they stay on */ }
});

const here = () => document.activeElement?.closest(".keys tbody tr");

function step(by) {
  const rows = [...document.querySelectorAll(".keys tbody tr")];
  const place = here() ? rows.indexOf(here()) + by : by > 0 ? 0 : rows.length - 1;
  rows[place]?.querySelector("[data-row]").focus();
}

const DOES = {
  "/": () => document.getElementById("search"),
  n: () => document.getElementById("add")?.click(),
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  x: () => here()?.querySelector("[data-select]")?.click(),
  e: () => (here() ? here().querySelector(".menu [href*='/edit']") : document.getElementById("edit"))?.click(),
  ".": () => here()?.querySelector("[popovertarget]").click(),
  "?": () => showHelp(),
};

document.addEventListener("keydown", (event) => {
  const does = Object.hasOwn(DOES, event.key) && DOES[event.key];
  const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
  if (!does || typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (dialog.open || document.querySelector(":popover-open") || areOff()) return;
  if (event.key.startsWith("Arrow") && !here()) return; // they scroll
  event.preventDefault();
  const field = does();
  field?.focus?.();
  field?.select?.();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-help]")) showHelp();
});
