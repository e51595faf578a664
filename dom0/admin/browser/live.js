// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Keeps the page true. One tab of a browser follows the server and tells the others, for a browser
 * opens only six connections. A message says that something changed; the page is then asked for anew,
 * and its parts with data-live are brought up to date in place.
 */

const NAME = "global-admin-live";
const listeners = new Set();
const tabs = new BroadcastChannel(NAME);
let last = 0;
let isAsking = false;
let isStale = false;

/** @param listen is called with each message: { waiting, newest }, or { isLive: false } */
export function onLive(listen) {
  listeners.add(listen);
}

export function startLive() {
  tabs.addEventListener("message", ({ data }) => take(data));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isStale) void refresh();
  });
  onLive(showState);
  // Whoever has the lock follows; when its tab is closed, the next one does.
  void navigator.locks.request(NAME, () => new Promise(follow));
}

function follow() {
  const source = new EventSource("/live");
  const tell = (message) => {
    tabs.postMessage(message);
    take(message);
  };
  source.addEventListener(
    "change",
    ({ data }) => tell({ ...JSON.parse(data), isLive: true, isLeader: false }),
  );
  source.addEventListener("ended", () => {
    source.close();
    tell({ isLive: false, isOver: true });
    location.reload();
  });
  source.addEventListener("error", () => tell({ isLive: false }));
}

function take(message) {
  for (const listen of listeners) listen(message);
  if (!message.isLive || message.count === last) return;
  const isFirst = last === 0;
  last = message.count;
  // The first message only says how things are; the page has just been made.
  if (!isFirst || message.waiting !== waitingShown()) void refresh();
}

function waitingShown() {
  return Number(/^\((\d+)\)/.exec(document.title)?.[1] ?? 0);
}

function showState({ isLive }) {
  const place = document.getElementById("live-state")?.firstElementChild;
  if (!place) return;
  place.className = isLive ? "st ok" : "st off";
  place.textContent = isLive ? "Live" : "Not live; trying again";
}

/** Asks for this page, and puts what is new in it into this one. */
export async function refresh() {
  if (document.hidden || isAsking) {
    isStale = true;
    if (document.hidden) void titleOnly();
    return;
  }
  isAsking = true;
  try {
    do {
      isStale = false;
      const page = await readPage();
      if (page !== null) update(page);
    } while (isStale && !document.hidden);
  } finally {
    isAsking = false;
  }
}

async function titleOnly() {
  const page = await readPage();
  if (page !== null) document.title = page.title;
}

/** Parsed by the browser without running anything, and without a string that becomes HTML here. */
export function readPage(address = location.pathname + location.search) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.addEventListener(
      "load",
      () => resolve(request.status === 200 ? request.responseXML : null),
    );
    request.addEventListener("error", () => resolve(null));
    request.send();
  });
}

function update(page) {
  document.title = page.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh !== null) become(part, fresh);
  }
  document.dispatchEvent(new Event("live-update"));
}

/** Makes one element like another, in place: focus, scrolling and what is open stay. */
function become(old, fresh) {
  // What a script of this page keeps is not the server's to say.
  if (old.dataset.own !== undefined || old.isEqualNode(fresh)) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    const isOwn = name === "open" || (name === "value" && old === document.activeElement);
    if (!isOwn && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  becomeChildren(old, fresh);
}

const keyOf = (node) => node.dataset?.key ?? node.id ?? "";

function becomeChildren(old, fresh) {
  const byKey = new Map();
  for (const child of old.children) if (keyOf(child)) byKey.set(keyOf(child), child);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    const known = key
      ? byKey.get(key)
      : at && !keyOf(at) && at.nodeName === wanted.nodeName
      ? at
      : null;
    if (!known || known.nodeName !== wanted.nodeName) {
      old.insertBefore(document.importNode(wanted, true), at);
      continue;
    }
    if (known === at) at = at.nextSibling;
    else old.insertBefore(known, at);
    if (known.nodeType === Node.ELEMENT_NODE) become(known, wanted);
    else if (known.nodeValue !== wanted.nodeValue) known.nodeValue = wanted.nodeValue;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
