// SPDX-License-Identifier: GPL-2.0-or-later
/** The palette: pages, qubes and operations by a part of their name. */

const MOST = 12;
const GROUPS = ["Pages", "Qubes", "Operations"];

export function startPalette() {
  const dialog = document.getElementById("palette");
  const input = dialog.querySelector("input");
  const list = document.getElementById("hits");
  let all = [];
  let at = 0;

  const options = () => [...list.querySelectorAll("[role=option]")];
  const pick = (index) => {
    const found = options();
    at = Math.max(0, Math.min(found.length - 1, index));
    for (const [i, option] of found.entries()) option.ariaSelected = String(i === at);
    if (found[at]) {
      input.setAttribute("aria-activedescendant", found[at].id);
      found[at].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const show = () => {
    list.replaceChildren(...groupsOf(all, input.value.trim().toLowerCase()));
    pick(0);
  };
  const go = (option) => {
    if (option) location.assign(option.dataset.path);
  };

  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      pick(at + step);
    }
    if (event.key === "Enter") {
      event.preventDefault();
      go(options()[at]);
    }
  });
  list.addEventListener("click", ({ target }) => go(target.closest("[role=option]")));
  new MutationObserver(async () => {
    if (!dialog.open) return;
    input.value = "";
    input.focus();
    show();
    all = await (await fetch("/palette")).json();
    show();
  }).observe(dialog, { attributeFilter: ["open"] });
}

function groupsOf(all, text) {
  const fits = all.filter(({ name, about }) => `${name} ${about}`.toLowerCase().includes(text))
    .sort((one, other) => rank(one, text) - rank(other, text)).slice(0, MOST);
  let count = 0;
  const groups = GROUPS.flatMap((group) => {
    const hits = fits.filter((hit) => hit.group === group);
    if (hits.length === 0) return [];
    const box = element("div", { role: "group", "aria-label": group });
    box.append(element("i", { "aria-hidden": "true" }, group));
    for (const hit of hits) {
      const option = element("div", {
        role: "option",
        id: `hit-${count++}`,
        "aria-selected": "false",
      });
      option.dataset.path = hit.path;
      option.append(
        hit.group === "Operations" ? element("code", {}, hit.name) : element("bdi", {}, hit.name),
        element("span", { class: "soft clip" }, hit.about),
      );
      box.append(option);
    }
    return [box];
  });
  if (groups.length > 0) return groups;
  const none = element("div", {
    role: "option",
    id: "hit-0",
    "aria-selected": "false",
    "aria-disabled": "true",
  }, "Nothing is called so");
  none.dataset.path = location.pathname;
  return [none];
}

function rank({ name }, text) {
  const lower = name.toLowerCase();
  return lower === text ? 0 : lower.startsWith(text) ? 1 : lower.includes(text) ? 2 : 3;
}

function element(name, attributes, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}
