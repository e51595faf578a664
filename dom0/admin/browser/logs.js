// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Logs: new records come in at the top as long as the reader follows; older ones are put below as the
 * reader comes to the end of what is there. Who reads older ones does not follow: nothing moves.
 */

import { readPage, refresh } from "./live.js";

/** More in one page is slow to lay out; after them "Older" leads to a page of its own. */
const MOST_CHUNKS = 40;
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
watchEnd();

function setFollowing(isOn) {
  button.ariaPressed = String(isOn);
  button.firstElementChild.textContent = isOn ? "Following" : "Follow";
  if (isOn) {
    records.dataset.live = "";
    for (const chunk of document.querySelectorAll(".chunk")) chunk.remove();
    chunks = 0;
    void refresh();
  } else records.removeAttribute("data-live");
}

/** Loads the next part a little before the reader gets there. */
function watchEnd() {
  const older = document.getElementById("older");
  if (!older) return;
  const watcher = new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting && scrollY > 0) void loadOlder();
  }, { rootMargin: "1500px" });
  watcher.observe(older);
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
    const chunk = document.createElement("section");
    chunk.className = "panel chunk";
    chunk.setAttribute("aria-label", "Older records");
    chunk.append(document.importNode(table, true));
    older.before(chunk);
    chunks++;
    const next = page.querySelector("#older a");
    if (next) link.href = next.href;
    else link.remove();
  } finally {
    isLoading = false;
  }
  // The next one may be in sight already.
  if (older.getBoundingClientRect().top < innerHeight + 1500) void loadOlder();
}
