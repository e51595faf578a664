// SPDX-License-Identifier: GPL-2.0-or-later
/** What is in a folder of dom0 or of a qube: read, and shown with a button for each file. @module */

import { type Admin, askerOf, type View } from "../../admin_context.ts";
import { Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import { type Content, type Html, markup } from "../../markup/markup.ts";
import type { Session } from "../../server/sessions.ts";
import { count, empty, many, postButton, table, time, token, unreadable } from "../parts.ts";
import { type Files, filesPath, pathIn, type Place } from "./place.ts";

export interface Entry {
  readonly type: string;
  readonly size: number;
  readonly mode: string;
  readonly mtime: number;
  readonly name: string;
}

export type Listing = readonly Entry[] | Dom0Error;

const KIND: ReadonlyMap<string, string> = new Map([["f", "file"], ["d", "folder"], ["l", "link"]]);
/** More in one page helps nobody. */
const MOST = 1_000;

export async function listFolder(
  { channel }: Pick<Admin, "channel">,
  session: Session,
  { vm, path }: Place,
): Promise<Listing> {
  const by = askerOf(session);
  const done = await orProblem(
    vm === null
      ? channel.run("file.list", { path }, by)
      : channel.run("file.browse", { vm, folder: path }, by),
  );
  if (done instanceof Dom0Error) return done;
  if (done.exitCode !== 0) return new Dom0Error(done.stderr.trim() || `exit ${done.exitCode}`);
  if (!Array.isArray(done.value)) return new Dom0Error(`What ${vm} answered is no list.`);
  return (done.value as unknown as readonly Entry[]).toSorted(foldersFirst); // as the table says
}

function foldersFirst(one: Entry, other: Entry): number {
  return Number(other.type === "d") - Number(one.type === "d") ||
    one.name.localeCompare(other.name, "en");
}

/** @param copyLabel what copying one of its files is called; null: it is not chosen where to */
export function listingPart(
  view: View,
  files: Files,
  listing: Listing,
  copyLabel: Content | null,
): Html {
  if (listing instanceof Dom0Error) return notRunning(view, files) ?? unreadable(listing.message);
  if (listing.length === 0) return empty("The folder is empty.");
  return markup`${
    table(
      [{ name: "Name" }, { name: "Kind" }, { name: "Size", look: "num" }, { name: "Mode" }, {
        name: "Changed",
      }, { name: "Action", look: "num", isSilent: true }],
      listing.slice(0, MOST).map((entry) => row(view, files, entry, copyLabel)),
      "files",
    )
  }${
    listing.length > MOST &&
    markup`<p class="body small soft">${
      many(listing.length - MOST, "more entry", "more entries")
    } ${listing.length - MOST === 1 ? "is" : "are"} not shown.</p>`
  }`;
}

function notRunning({ qubes, session }: View, files: Files): Html | null {
  const { vm } = files;
  if (vm === null || qubes.byName.get(vm)?.state !== "Halted") return null;
  const fields = { what: "start", ...asFields(files) };
  return markup`<div class="body stack"><p><bdi>${vm}</bdi> does not run. Its files can be seen once it does.</p>${
    postButton(session, "/files", fields, markup`<span>Start <bdi>${vm}</bdi></span>`, "main")
  }</div>`;
}

/** What a form carries, so that it leads back to where it stood. */
export function asFields(files: Files): Readonly<Record<string, string>> {
  return Object.fromEntries(new URLSearchParams(filesPath(files).slice("/files?".length)));
}

function row(
  { session, nowMs }: View,
  files: Files,
  { type, size, mode, mtime, name }: Entry,
  copyLabel: Content | null,
) {
  const path = pathIn(files.path, name);
  const isFile = type === "f" && path !== null;
  return {
    key: name,
    cells: [
      type === "d" && path !== null
        ? markup`<a href="${filesPath(files, { path })}"><bdi>${name}</bdi>/</a>`
        : markup`<bdi>${name}</bdi>`,
      KIND.get(type) ?? "special",
      type === "f" ? count(size) : "",
      markup`<code>${mode}</code>`,
      time(mtime * 1000, nowMs),
      isFile
        ? markup`<div class="row">${files.vm === null && hashButton(session, files, path, name)}${
          copyLabel !== null &&
          markup`<button class="lean" form="copy" name="from" value="${path}">${copyLabel}<span class="vh">: ${name}</span></button>`
        }</div>`
        : path === null && markup`<span class="small soft">cannot be asked for by this name</span>`,
    ],
  };
}

function hashButton(session: Session, files: Files, path: string, name: string): Html {
  return markup`<form method="post" action="/files">${token(session)}${
    Object.entries({ ...asFields(files), what: "hash", file: path }).map(([key, value]) =>
      markup`<input type="hidden" name="${key}" value="${value}">`
    )
  }<button class="lean">SHA-256<span class="vh"> of ${name}</span></button></form>`;
}
