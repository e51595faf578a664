// SPDX-License-Identifier: GPL-2.0-or-later
/** What stands around every page: header, navigation, the dialogs that are always in reach. @module */

import { isElevated, type View } from "../admin_context.ts";
import { type Content, type Html, markup, NOTHING, when } from "../markup/markup.ts";
import { assetPath, MAIN_MODULES } from "../assets.ts";
import { type Answer, htmlAnswer } from "../server/http_message.ts";
import { runningRequests } from "../../daemon/running_requests.ts";
import { count, left, many, notice, qubeList, span, token } from "./parts.ts";

interface PageParts {
  readonly title: string;
  /** The one line of facts beside the heading. */
  readonly facts?: Content;
  readonly actions?: Content;
  /** Another heading than the title. */
  readonly heading?: Content;
  readonly main: Content;
  /** Dialogs of the page. */
  readonly dialogs?: Content;
  /** A module of the page's own. */
  readonly module?: "execute" | "logs";
}

export const PAGES: readonly (readonly [
  group: string,
  pages: readonly (readonly [path: string, name: string, key?: string])[],
])[] = [
  ["Watch", [
    ["/", "Dashboard", "d"],
    ["/approvals", "Approvals", "a"],
    ["/plans", "Plans", "p"],
    ["/logs", "Logs", "l"],
    ["/undo", "Undo", "u"],
  ]],
  ["Qubes", [
    ["/qubes", "Qubes", "q"],
    ["/network", "Network", "n"],
    ["/execute", "Execute", "e"],
    ["/files", "Files", "f"],
  ]],
  ["Rules", [
    ["/keys", "Keys", "k"],
    ["/policy", "Policy", "r"],
    ["/qrexec", "Qrexec policies"],
    ["/staged", "Staged changes", "s"],
  ]],
  ["Machine", [
    ["/openclaw", "OpenClaw", "o"],
    ["/backup", "Backup", "b"],
    ["/global", "Global"],
    ["/configuration", "Configuration", "c"],
    ["/sessions", "Sessions"],
  ]],
];

export function page(view: View, parts: PageParts): Answer {
  const { title, facts, actions, main, dialogs, module } = parts;
  const waiting = view.now.parked.length;
  // An update beside it must not take away what the page after a change is to say.
  const notices = view.isVisit ? view.session.notices : [];
  if (view.isVisit) view.session.notices = [];
  return htmlAnswer(markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${waiting > 0 && `(${count(waiting)}) `}${title} · Global Admin · dom0</title>
<link rel="icon" href="${assetPath("icon.svg")}">
<link rel="stylesheet" href="${assetPath("style.css")}">
${MAIN_MODULES.map((name) => markup`<link rel="modulepreload" href="${assetPath(name)}">`)}
<script type="module" src="${assetPath("main.js")}"></script>
${
    module !== undefined &&
    markup`<script type="module" src="${assetPath(`${module}.js`)}"></script>`
  }
</head>
<body>
<a class="skip vh" href="#main">Skip to the page</a>
${header(view)}
${band(view)}
${navigation(view)}
<main id="main" tabindex="-1">
<div class="head" id="head" data-live><h1>${parts.heading ?? title}</h1>${
    facts !== undefined && markup`<p>${facts}</p>`
  }${actions !== undefined && markup`<div class="push row">${actions}</div>`}</div>
${elevated(view)}
${notices.map(({ kind, text }) => notice(kind, text))}
${main}
${stagedBar(view)}
</main>
${lockdownDialog(view)}
${dialogs}
${PALETTE}
${KEYS_DIALOG}
<div class="toasts" role="status" id="toasts"></div>
</body>
</html>`);
}

function header(view: View): Html {
  const { now, chain, nowMs } = view;
  const { daemon } = now;
  const isLocked = daemon?.lockdown === true;
  return markup`<header class="top" id="top" data-live>
<a class="menu btn lean" href="#nav">Menu</a>
<a class="brand" href="/">Global Admin <span>dom0</span></a>
<button type="button" class="find" data-open="palette"><span>Qube, operation or page</span> <kbd>Ctrl K</kbd></button>
<nav class="vitals" aria-label="State">
${
    daemon === null
      ? markup`<a class="st bad" href="/#daemon">Daemon not running</a>`
      : markup`<a class="st ok" href="/#daemon" title="qvm-remote-dom0 ${daemon.version}, process ${daemon.pid}">Daemon running</a>`
  }
${
    chain !== null &&
    markup`<a class="st ${
      chain.isWhole ? "ok" : "bad"
    }" href="/logs#chain" title="${chain.text}, looked at ${span(nowMs - chain.seenMs)} ago">${
      chain.isWhole ? "Chain intact" : "Chain broken"
    }</a>`
  }
<a class="st ${now.parked.length > 0 ? "wait" : "off"}" href="/approvals">${
    count(now.parked.length)
  } waiting</a>
</nav>
${
    isLocked
      ? markup`<a class="btn danger lean" href="/lockdown">Unlock…</a>`
      : markup`<a class="btn danger lean" role="button" href="/lockdown" data-open="lockdown">Lockdown</a>`
  }
</header>`;
}

function band({ now }: View): Html {
  return markup`<div id="band" data-live class="band-place">${
    now.daemon?.lockdown === true &&
    markup`<div class="band" role="status"><strong>Locked down.</strong> <span>Nothing that a VM asks for runs, over reboots, until somebody unlocks.</span> <a href="/lockdown">Unlock…</a></div>`
  }</div>`;
}

function navigation({ path, now, session }: View): Html {
  const isHere = (of: string): boolean =>
    of === "/" ? path === "/" : path === of || path.startsWith(`${of}/`);
  const mark = (of: string): Content => {
    if (of === "/approvals" && now.parked.length > 0) {
      return markup` <span class="count"><span class="vh">waiting: </span>${
        count(now.parked.length)
      }</span>`;
    }
    return of === "/staged" && session.staged.length > 0 &&
      markup` <span class="soft">${count(session.staged.length)}</span>`;
  };
  return markup`<nav class="side" id="nav" aria-label="Pages">
<a class="menu" href="#main">Close menu</a>
<div id="nav-pages" data-live>${
    PAGES.map(([group, pages]) =>
      markup`<h2>${group}</h2>
<ul>${
        pages.map(([of, name, key]) =>
          markup`<li><a href="${of}"${key !== undefined && markup` data-go="${key}"`}${
            when(isHere(of), markup` aria-current="page"`)
          }>${name}${mark(of)}</a></li>`
        )
      }</ul>`
    )
  }</div>
</nav>`;
}

/** The staged changes' bar, on every page but their own. */
function stagedBar({ session, path }: View): Html {
  const { length } = session.staged;
  if (length === 0 || path === "/staged") return NOTHING;
  return markup`<div class="bar" role="region" aria-label="Staged changes"><strong>${
    many(length, "staged change")
  }</strong> <span class="soft">Nothing is changed yet.</span><span class="push row"><a class="btn main" href="/staged">Review and apply</a></span></div>`;
}

function elevated({ session, nowMs }: View): Html {
  if (!isElevated(session, nowMs)) return NOTHING;
  return markup`<div class="notice wait" role="status"><div><strong>Elevated mode.</strong> This session may run anything in dom0, as root, for ${
    left(session.elevatedUntilMs, nowMs)
  } more.</div><form method="post" action="/sessions/elevate">${
    token(session)
  }<input type="hidden" name="minutes" value="0"><button class="lean">End it now</button></form></div>`;
}

function lockdownDialog(view: View): Html {
  const { session, now } = view;
  const running = (now.daemon?.vms ?? []).filter((vm) => runningRequests(vm).length > 0);
  const connected = (now.daemon?.vms ?? []).filter(({ state }) => state === "connected").length;
  return markup`<dialog id="lockdown" aria-labelledby="lockdown-h"><form method="post" action="/lockdown">${
    token(session)
  }<input type="hidden" name="what" value="lockdown">
<h2 id="lockdown-h">Lock down this machine?</h2>
<div class="stack"><p>At once, and over reboots, until somebody unlocks:</p>
<ul id="lockdown-what" data-live><li>${
    many(running.reduce((sum, vm) => sum + runningRequests(vm).length, 0), "running command")
  } ended${
    running.length > 0 && markup` (${qubeList(view, running.map(({ vm }) => vm))})`
  }</li><li>${many(now.parked.length, "waiting request")} refused</li><li>${
    many(connected, "session")
  } with VMs closed; no VM is read</li></ul>
<p>Qubes that run go on running.</p></div>
<footer><button type="button" data-close>Cancel</button><button class="alarm" autofocus>Lock down now</button></footer>
</form></dialog>`;
}

const PALETTE =
  markup`<dialog id="palette" class="palette" aria-label="Find a qube, an operation or a page">
<input type="text" role="combobox" aria-expanded="true" aria-controls="hits" aria-label="Qube, operation or page" autocomplete="off" spellcheck="false">
<div id="hits" role="listbox" aria-label="Matches"></div>
</dialog>`;

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["Ctrl K", "find a qube, an operation or a page"],
  ["g d, g a, g p, g l, g q", "Dashboard, Approvals, Plans, Logs, Qubes"],
  ["j, k", "next, previous"],
  ["Enter", "open"],
  ["a, t, d", "approve once, for 10 minutes, deny"],
  ["f", "follow a log, or output"],
  ["/", "filter"],
  ["Esc", "close"],
];

const KEYS_DIALOG =
  markup`<dialog id="keys" aria-labelledby="keys-h"><form method="dialog"><h2 id="keys-h">Keys</h2>
<div><dl class="facts">${
    KEYS.map(([keys, what]) => markup`<dt><kbd>${keys}</kbd></dt><dd>${what}</dd>`)
  }</dl>
<label class="check"><input type="checkbox" id="keys-on" checked> Single letters do something</label></div>
<footer><button autofocus>Close</button></footer></form></dialog>`;
