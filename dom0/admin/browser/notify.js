// SPDX-License-Identifier: GPL-2.0-or-later
/** A notification when a request arrives while another window is in front, whatever page is open. */

import { onLive } from "./live.js";

const REMEMBERED = 100;

export function startNotifying() {
  if (!("Notification" in globalThis)) return;
  offer(document.getElementById("notify"));
  let told = new Set();
  onLive(({ newest }) => {
    if (!newest || told.has(newest.id)) return;
    told = new Set([...told, newest.id].slice(-REMEMBERED));
    if (document.hidden && Notification.permission === "granted") show(newest);
  });
}

/** The browser asks only if a person wanted it. */
function offer(button) {
  if (!button || Notification.permission !== "default") return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await Notification.requestPermission();
    button.hidden = true;
  });
}

/** One for all tabs: the same tag replaces. */
function show({ id, text }) {
  const shown = new Notification("A request waits in dom0", { body: text, tag: id });
  shown.addEventListener("click", () => {
    globalThis.focus();
    location.assign("/approvals");
    shown.close();
  });
}
