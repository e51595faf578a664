// SPDX-License-Identifier: GPL-2.0-or-later
/** A program to be traced: each call of durable.ts once, and "said" on stdout when it resolved. */

import {
  durableFolder,
  durableLink,
  durableRemove,
  durableRename,
  durableSymlink,
  durableWrite,
} from "../../shared/io/durable.ts";

if (import.meta.main) {
  const [call = "", folder = ""] = Deno.args;
  const run = new Map<string, () => Promise<unknown>>([
    ["write", () => durableWrite(`${folder}/new`, "text", 0o640)],
    ["replace", () => durableWrite(`${folder}/old`, "text")],
    ["remove", () => durableRemove(`${folder}/old`)],
    ["rename", () => durableRename(`${folder}/old`, `${folder}/new`)],
    ["symlink", () => durableSymlink("/nowhere", `${folder}/new`)],
    ["link", () => durableLink(`${folder}/old`, `${folder}/new`)],
    ["folder", () => durableFolder(`${folder}/a/b/c`)],
  ]).get(call);
  if (run === undefined) throw new Error(`no call ${call}`);
  await run();
  Deno.stdout.writeSync(new TextEncoder().encode("said\n"));
}
