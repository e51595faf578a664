// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The stylesheet, the modules and the icon: part of the program, the same for everybody. Their address
 * contains the hash of all of them, so a browser keeps them until the program changes.
 *
 * @module
 */

import { eTag, ifNoneMatch } from "@std/http/etag";
import { newSha256 } from "../../shared/io/sha256.ts";
import admin from "./style/admin.css" with { type: "text" };
import local from "./style/pages.css" with { type: "text" };
import running from "./style/running.css" with { type: "text" };
import tokens from "./style/tokens.css" with { type: "text" };
import countdown from "./browser/countdown.js" with { type: "text" };
import dialogs from "./browser/dialogs.js" with { type: "text" };
import execute from "./browser/execute.js" with { type: "text" };
import keyboard from "./browser/keyboard.js" with { type: "text" };
import live from "./browser/live.js" with { type: "text" };
import login from "./browser/login.js" with { type: "text" };
import logs from "./browser/logs.js" with { type: "text" };
import main from "./browser/main.js" with { type: "text" };
import notify from "./browser/notify.js" with { type: "text" };
import palette from "./browser/palette.js" with { type: "text" };
import icon from "./style/icon.svg" with { type: "text" };
import { type Answer, textAnswer } from "./server/http_message.ts";
import type { Route } from "./server/router.ts";

const STYLE = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

type Asset = readonly [name: string, type: string, text: string];

const ICON: Asset = ["icon.svg", "image/svg+xml", icon];

const ASSETS: readonly Asset[] = [
  ["style.css", STYLE, `${tokens}${admin}${local}${running}`],
  ["main.js", SCRIPT, main],
  ["countdown.js", SCRIPT, countdown],
  ["dialogs.js", SCRIPT, dialogs],
  ["execute.js", SCRIPT, execute],
  ["keyboard.js", SCRIPT, keyboard],
  ["live.js", SCRIPT, live],
  ["login.js", SCRIPT, login],
  ["logs.js", SCRIPT, logs],
  ["notify.js", SCRIPT, notify],
  ["palette.js", SCRIPT, palette],
  ICON,
];

/** What main.js imports: asked for with it, not after it. */
export const MAIN_MODULES = [
  "countdown.js",
  "dialogs.js",
  "keyboard.js",
  "live.js",
  "notify.js",
  "palette.js",
] as const;

const VERSION = hashOf(ASSETS);
/** A browser has it for as long as it likes. */
const FOR_EVER = "private, max-age=31536000, immutable";

function hashOf(assets: readonly Asset[]): string {
  const hash = newSha256();
  for (const [name, , text] of assets) hash.update(`${name}\n${text.length}\n${text}`);
  return hash.digest("hex").slice(0, 16);
}

export function assetPath(name: string): string {
  return `/assets/${VERSION}/${name}`;
}

/** The icon has a second address, by which the server asks itself whether it answers. */
export const ASSET_ROUTES: readonly Route[] = [
  ...ASSETS.map((asset) => routeOf(assetPath(asset[0]), asset, FOR_EVER)),
  routeOf("/assets/icon.svg", ICON, "no-cache"),
];

function routeOf(path: string, [, type, text]: Asset, caching: string): Route {
  const tag = eTag(text);
  return {
    method: "GET",
    path,
    access: "open",
    async answer({ headers }): Promise<Answer> {
      const isKnown = ifNoneMatch(headers.get("if-none-match"), await tag) === false;
      const answer = isKnown ? textAnswer("", type, 304) : textAnswer(text, type);
      answer.headers.set("etag", await tag);
      answer.headers.set("cache-control", caching);
      return answer;
    },
  };
}
