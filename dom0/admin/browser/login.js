// SPDX-License-Identifier: GPL-2.0-or-later
/** Takes the ticket out of the address, makes a session of it, and asks for the page again. */

const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
history.replaceState(null, "", location.pathname + location.search);
const status = document.getElementById("login");

if (ticket !== null) {
  status.textContent = "Logging in …";
  const body = new URLSearchParams({ ticket });
  const answer = await fetch("/login", { method: "POST", body, redirect: "error" }).catch(() =>
    null
  );
  if (answer?.ok) location.reload();
  else {status.textContent =
      "This login was used, or is too old. Open Global Admin again from the menu, or in dom0’s terminal:";}
}
