// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Logs: new records come in at the top as long as the reader follows; older ones are put below as the
 * reader comes to the end of what is there. Who reads older ones does not follow: nothing moves.
 */

import { readPage, refresh } from "./live.js";

/** More in one page is slow to lay out; after them "Older" leads to a page of its own. */
const MOST_CHUNKS = 40;
const AHEAD_PX = 1500;
/** Nothing tells of a new line of a journal. */
const JOURNAL_MS = 2000;

const button = document.getElementById("follow");
const records = document.getElementById("records") ?? document.getElementById("journal");
let chunks = 0;
let isLoading = false;

if (button && records) {
  button.hidden = false;
  setFollowing(records.hasAttribute("data-live"));
  button.addEventListener("click", () => setFollowing(button.ariaPressed !== "true"));
}
if (records?.id === "journal") {
  setInterval(() => {
    if (button.ariaPressed === "true" && !document.hidden) void refresh();
  }, JOURNAL_MS);
}
document.addEventListener("scroll", () => {
  if (isNearEnd()) void loadOlder();
}, { passive: true });

function setFollowing(isOn) {
  button.ariaPressed = String(isOn);
  button.firstElementChild.textContent = isOn ? "Following" : "Follow";
  if (isOn) {
    records.dataset.live = "";
    for (const chunk of document.querySelectorAll(".chunk")) chunk.remove();
    chunks = 0;
    scrollTo({ top: 0, behavior: "instant" });
    void refresh();
  } else records.removeAttribute("data-live");
}

/** Loads the next part a little before the reader gets there. */
function isNearEnd() {
  const older = document.getElementById("older");
  return older !== null && scrollY > 0 &&
    older.getBoundingClientRect().top < innerHeight + AHEAD_PX;
}

async function loadOlder() {
  const older = document.getElementById("older");
  const link = older.querySelector("a");
  if (isLoading || !link || chunks >= MOST_CHUNKS) return;
  isLoading = true;
  try {
    const page = await readPage(link.href);
    const table = page?.querySelector("#records table");
    if (!table) return;
    if (button.ariaPressed === "true") setFollowing(false);
    const chunk = document.createElement("div");
    chunk.className = "panel chunk";
    chunk.append(document.importNode(table, true));
    older.before(chunk);
    chunks++;
    const next = page.querySelector("#older a");
    if (next) link.href = next.href;
    else link.remove();
  } finally {
    isLoading = false;
  }
  if (isNearEnd()) void loadOlder();
}
