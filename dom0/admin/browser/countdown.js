// SPDX-License-Identifier: GPL-2.0-or-later
/** What ends by itself counts down: <span data-until="MS">. When it is over, the page is asked for anew. */

const SECOND_MS = 1000;

export function startCountdown() {
  tick();
  setInterval(tick, SECOND_MS);
}

function tick() {
  for (const place of document.querySelectorAll("[data-until]")) {
    const leftMs = Number(place.dataset.until) - Date.now();
    if (leftMs <= 0) {
      delete place.dataset.until;
      location.reload();
    } else place.textContent = words(leftMs);
  }
}

/** 14:05, or 1:14:05. */
function words(ms) {
  const seconds = Math.ceil(ms / SECOND_MS);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const rest = `${two(seconds / 60 % 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? rest : `${Math.floor(seconds / 3600)}:${rest}`;
}
