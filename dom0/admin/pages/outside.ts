// SPDX-License-Identifier: GPL-2.0-or-later
/** What is shown to visitors who are not logged in, and what an error looks like. @module */

import { STATUS_TEXT } from "@std/http/status";
import { type Html, markup } from "../markup/markup.ts";
import { assetPath } from "../assets.ts";
import { type Answer, htmlAnswer } from "../server/http_message.ts";

/** With the ticket of the address, login.js makes a session; without one there is nothing to do. */
export function loginPage(): Answer {
  return htmlAnswer(
    bare(
      "Log in",
      markup`<section class="panel"><header><h1>Global Admin</h1></header><div class="body stack">
<p id="login" role="status">No session. Open Global Admin from the menu, or in dom0’s terminal:</p>
<pre>qubes-global-admin-web open</pre>
<p class="soft small">Each opens a browser that is logged in. A session ends after two hours without use.</p>
</div></section>`,
      markup`<script type="module" src="${assetPath("login.js")}"></script>`,
    ),
    401,
  );
}

export function errorPage(status: number, text: string): Answer {
  return htmlAnswer(
    bare(
      STATUS_TEXT[status] ?? "Error",
      markup`<section class="panel"><header><h1>${
        STATUS_TEXT[status] ?? "Error"
      }</h1><span class="soft small">${status}</span></header>
<div class="body stack"><p>${sentence(text)}</p><p><a href="/">Dashboard</a></p></div></section>`,
    ),
    status,
  );
}

function bare(title: string, main: Html, more?: Html): Html {
  return markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Global Admin · dom0</title>
<link rel="icon" href="${assetPath("icon.svg")}">
<link rel="stylesheet" href="${assetPath("style.css")}">
${more}
</head>
<body class="outside">
<main id="main">${main}</main>
</body>
</html>`;
}

function sentence(text: string): string {
  const end = /[.!?]$/.test(text) ? "" : ".";
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${end}`;
}
