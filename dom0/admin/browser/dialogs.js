// SPDX-License-Identifier: GPL-2.0-or-later
/** Dialogs: opened by what names them, closed by Cancel, Esc, or a click beside them. */

export function startDialogs() {
  // A dialog that the server opened, for a browser without scripts, is made a real one.
  for (const dialog of document.querySelectorAll("dialog[open]")) {
    dialog.close();
    dialog.showModal();
  }
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-open]");
    if (opener && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      openDialog(opener.dataset.open);
    }
    const closer = event.target.closest?.("[data-close]");
    if (closer) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    if (event.target instanceof HTMLDialogElement) event.target.close();
  });
  document.addEventListener("input", ({ target }) => {
    if (target.dataset?.word !== undefined) armButton(target);
  });
  disarm();
  document.addEventListener("live-update", disarm);
}

export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

/** Type the name: the last button stays off until the words are equal. The server asks too. */
function armButton(input) {
  document.getElementById(input.dataset.for).disabled = input.value !== input.dataset.word;
}

function disarm() {
  for (const input of document.querySelectorAll("[data-word]")) armButton(input);
}
