// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What ends by itself counts down: <span data-until="MS">. When it is over, the page is asked for anew;
 * not for what was over before, or a page of a clock that goes slow would load again and again.
 */

const SECOND_MS = 1000;
const running = new WeakSet();

export function startCountdown() {
  tick();
  setInterval(tick, SECOND_MS);
}

function tick() {
  for (const place of document.querySelectorAll("[data-until]")) {
    const leftMs = Number(place.dataset.until) - Date.now();
    place.textContent = words(Math.max(0, leftMs));
    if (leftMs > 0) running.add(place);
    else if (running.delete(place)) location.reload();
  }
}

/** 14:05, or 1:14:05. */
function words(ms) {
  const seconds = Math.ceil(ms / SECOND_MS);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const rest = `${two(seconds / 60 % 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? rest : `${Math.floor(seconds / 3600)}:${rest}`;
}
