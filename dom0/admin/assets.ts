// SPDX-License-Identifier: GPL-2.0-or-later
/** The stylesheet, the modules and the icon: part of the program, the same for everybody. @module */

import { eTag, ifNoneMatch } from "@std/http/etag";
import admin from "./style/admin.css" with { type: "text" };
import local from "./style/pages.css" with { type: "text" };
import tokens from "./style/tokens.css" with { type: "text" };
import approvals from "./browser/approvals.js" with { type: "text" };
import dialogs from "./browser/dialogs.js" with { type: "text" };
import execute from "./browser/execute.js" with { type: "text" };
import keyboard from "./browser/keyboard.js" with { type: "text" };
import live from "./browser/live.js" with { type: "text" };
import login from "./browser/login.js" with { type: "text" };
import main from "./browser/main.js" with { type: "text" };
import palette from "./browser/palette.js" with { type: "text" };
import icon from "./style/icon.svg" with { type: "text" };
import { type Answer, textAnswer } from "./server/http_message.ts";
import type { Route } from "./server/router.ts";

const STYLE = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

const ASSETS: readonly (readonly [name: string, type: string, text: string])[] = [
  ["tokens.css", STYLE, tokens],
  ["admin.css", STYLE, admin],
  ["pages.css", STYLE, local],
  ["main.js", SCRIPT, main],
  ["approvals.js", SCRIPT, approvals],
  ["dialogs.js", SCRIPT, dialogs],
  ["execute.js", SCRIPT, execute],
  ["keyboard.js", SCRIPT, keyboard],
  ["live.js", SCRIPT, live],
  ["login.js", SCRIPT, login],
  ["palette.js", SCRIPT, palette],
  ["icon.svg", "image/svg+xml", icon],
];

export const ASSET_ROUTES: readonly Route[] = ASSETS.map(([name, type, text]) => ({
  method: "GET",
  path: `/assets/${name}`,
  access: "open",
  answer: async ({ headers }): Promise<Answer> => {
    const tag = await eTag(text);
    const isKnown = ifNoneMatch(headers.get("if-none-match"), tag) === false;
    const answer = isKnown ? textAnswer("", type, 304) : textAnswer(text, type);
    answer.headers.set("etag", tag);
    // Asked for anew each time, and told "the same" in a few bytes: an update is seen at once.
    answer.headers.set("cache-control", "no-cache");
    return answer;
  },
}));
