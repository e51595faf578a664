// SPDX-License-Identifier: GPL-2.0-or-later
/** Execute: what runs is shown as it prints; Ctrl-Enter runs, Esc cancels. */

import { refresh } from "./live.js";

const AGAIN_MS = 1000;
const panel = document.querySelector("[data-run]");
const output = document.getElementById("output");

if (panel) follow(Number(panel.dataset.next));

function follow(from) {
  let next = from;
  const tells = panel.dataset.tells ? "&tells" : "";
  const source = new EventSource(`/execute/${panel.dataset.run}/output?from=${from}${tells}`);
  source.addEventListener("part", ({ data }) => {
    const message = JSON.parse(data);
    next = message.next;
    append(message.parts);
    if (message.progress) showProgress(message.progress);
  });
  source.addEventListener("end", () => {
    source.close();
    panel.removeAttribute("data-run");
    panel.dataset.live = ""; // from now on it is as the server says
    void refresh();
  });
  source.addEventListener("error", () => {
    source.close(); // else it would begin again where this one began
    setTimeout(() => follow(next), AGAIN_MS);
  });
}

function append(parts) {
  for (const { stream, text } of parts) {
    const place = stream === 2 ? element("err") : output;
    for (const [words, isNamed] of text) {
      const box = isNamed ? element("ctl") : document.createTextNode("");
      box.textContent = words;
      place.append(box);
    }
    if (place !== output) output.append(place);
  }
  if (document.getElementById("follow")?.checked) output.scrollTop = output.scrollHeight;
}

function showProgress({ share, words }) {
  const place = document.getElementById("progress");
  if (!place) return;
  place.querySelector("progress").value = share;
  place.querySelector("p").textContent = words;
}

function element(look) {
  const made = document.createElement("span");
  made.className = look;
  return made;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey && event.key === "Enter") {
    event.target.closest?.("[data-run-form]")?.requestSubmit();
  }
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    document.querySelector("[data-run] form button")?.click();
  }
});
