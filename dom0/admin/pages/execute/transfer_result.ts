// SPDX-License-Identifier: GPL-2.0-or-later
/** What came of copying a file: where it is now, and that both ends have the same. @module */

import { dirname } from "@std/path/posix/dirname";
import type { View } from "../../admin_context.ts";
import type { JsonValue } from "../../../operations/operation.ts";
import { type Content, type Html, markup, NOTHING } from "../../markup/markup.ts";
import { filesPath } from "../files/place.ts";
import { count, qube, state } from "../parts.ts";

/** @param value what file.fetch, file.send and file.copy give */
export function transferResult(view: View, value: JsonValue): Html {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return NOTHING;
  const words = value as Readonly<Record<string, JsonValue>>; // no array, as was just looked at
  const word = (name: string): string => String(words[name] ?? "");
  const [file, place] = [word("file"), word("in")];
  const vm = place === "dom0" ? null : place;
  const isEqual = word("sha256_of_source") === word("sha256_of_copy");
  return markup`<p>${
    isEqual ? state("ok", "The same at both ends") : state("bad", "Not the same at both ends")
  }</p><dl class="facts"><dt>File</dt><dd><code>${file}</code> ${folderLink(vm, file)}</dd>
<dt>In</dt><dd>${qube(view, vm)}</dd>
<dt>Size</dt><dd>${count(Number(word("bytes")))} bytes</dd>
<dt>SHA-256 of the source</dt><dd><code>${word("sha256_of_source")}</code></dd>
<dt>SHA-256 of the copy</dt><dd><code>${word("sha256_of_copy")}</code></dd></dl>`;
}

function folderLink(vm: string | null, file: string): Content {
  const files = { vm, path: dirname(file), to: undefined, into: "", pick: null };
  return markup`<a href="${filesPath(files)}">Its folder</a>`;
}
