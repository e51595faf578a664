// SPDX-License-Identifier: GPL-2.0-or-later
/** The keys. Single letters act only outside of fields and dialogs, and can be switched off. */

import { openDialog } from "./dialogs.js";

const OFF = "global-admin-keys-off";
/** After another request takes the place of the one that was shown, its keys are dead for a moment. */
const DEAD_MS = 500;
const GO_MS = 1500;

let shown = "";
let shownAt = 0;
let goAt = -GO_MS;

export function startKeyboard() {
  const box = document.getElementById("keys-on");
  box.checked = localStorage.getItem(OFF) === null;
  box.addEventListener("change", () => {
    if (box.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  });
  notice();
  shownAt = -DEAD_MS;
  document.addEventListener("live-update", notice);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "k") {
      event.preventDefault();
      openDialog("palette");
      return;
    }
    if (isTyping(event) || localStorage.getItem(OFF) !== null) return;
    if (press(event.key)) event.preventDefault();
  });
}

function notice() {
  const now = document.querySelector("[data-request]")?.dataset.request ?? "";
  if (now === shown) return;
  shown = now;
  shownAt = performance.now();
}

function isTyping({ ctrlKey, altKey, metaKey, target }) {
  return ctrlKey || altKey || metaKey || target.matches?.("input, textarea, select") ||
    document.querySelector("dialog[open]") !== null;
}

/** @returns whether the key does something here */
function press(key) {
  if (performance.now() - goAt < GO_MS) {
    goAt = -GO_MS;
    const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
    link?.click();
    return link !== null;
  }
  switch (key) {
    case "g":
      goAt = performance.now();
      return true;
    case "?":
      openDialog("keys");
      return true;
    case "f": {
      const button = document.getElementById("follow");
      button?.click();
      return button !== null;
    }
    case "/": {
      const field = document.querySelector("[data-filter]");
      field?.focus();
      return field !== null;
    }
    case "j":
    case "k":
      return step(key === "j" ? 1 : -1);
    default: {
      const button = document.querySelector(`[data-key="${CSS.escape(key)}"]:is(button, a)`);
      if (button === null || performance.now() - shownAt < DEAD_MS) return false;
      button.click();
      return true;
    }
  }
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-rows] a")];
  if (rows.length === 0) return false;
  const at = rows.findIndex((row) => row === document.activeElement);
  const here = at >= 0 ? at : rows.findIndex((row) => row.ariaCurrent);
  const next = rows[Math.min(rows.length - 1, Math.max(0, here + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}
