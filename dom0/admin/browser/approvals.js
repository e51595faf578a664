// SPDX-License-Identifier: GPL-2.0-or-later
/** Approvals: a notification when a request arrives while another window is in front. */

import { onLive } from "./live.js";

const button = document.getElementById("notify");
let told = new Set();

if ("Notification" in globalThis) {
  if (button && Notification.permission === "default") {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await Notification.requestPermission();
      button.hidden = true;
    });
  }
  onLive(({ newest }) => {
    if (!newest) return;
    const isNew = !told.has(newest.id);
    told = new Set([...told, newest.id].slice(-100));
    if (!isNew || !document.hidden || Notification.permission !== "granted") return;
    // One for all tabs: the same tag replaces.
    const shown = new Notification("A request waits in dom0", {
      body: newest.text,
      tag: newest.id,
    });
    shown.addEventListener("click", () => {
      globalThis.focus();
      shown.close();
    });
  });
}

/** j and k show the request beside the list as soon as it is focused. */
document.addEventListener("focusin", ({ target }) => {
  if (target.matches?.("[data-rows] a") && target.ariaCurrent !== "true") {
    // By Enter or a click: a request is never shown by accident while "a" is in the air.
    target.scrollIntoView({ block: "nearest" });
  }
});
