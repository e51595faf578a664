// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote key …`: makes, shows, takes the key. @module */

import { exists } from "../../../shared/io/files.ts";
import { EXIT_OK, UsageError, UserError, writeAll } from "../../../shared/cli/program.ts";
import { readLine } from "../../../shared/cli/read_line.ts";
import { type AuthKey, makeAuthKeyText } from "../../../shared/protocol/auth_key.ts";
import type { Given } from "./cli_words.ts";
import { readKey, readKeyText, writeKey } from "../files/key_file.ts";
import { adoptLegacyFolder, type Layout } from "../files/layout.ts";
import { print } from "./print.ts";

export async function keyGen(layout: Layout, given: Given): Promise<number> {
  await refuseToReplace(layout, given);
  return report(layout, given, await writeKey(layout, makeAuthKeyText()));
}

export async function keyShow(layout: Layout, given: Given): Promise<number> {
  const key = await readKeyText(layout);
  print(given, { key }, `${key}\n`);
  return EXIT_OK;
}

export async function keyImport(layout: Layout, given: Given): Promise<number> {
  await refuseToReplace(layout, given);
  const text = given.words[0] ?? readLine() ?? "";
  if (text.trim() === "") {
    throw new UsageError("no key was given", ["it comes from stdin or as a word"]);
  }
  return report(layout, given, await writeKey(layout, text));
}

export async function keyFingerprint(layout: Layout, given: Given): Promise<number> {
  const { fingerprint } = await readKey(layout);
  print(given, { fingerprint }, `${fingerprint}\n`);
  return EXIT_OK;
}

async function refuseToReplace(layout: Layout, given: Given): Promise<void> {
  await adoptLegacyFolder(layout);
  if (given.has("force") || !await exists(layout.key)) return;
  throw new UserError(`there is a key in ${layout.key}`, [
    "--force replaces it; dom0 then refuses this VM until it is authorised again",
  ]);
}

function report(layout: Layout, given: Given, { fingerprint }: AuthKey): number {
  print(given, { fingerprint, path: layout.key }, `${fingerprint}\n`);
  if (!given.has("json") && !given.has("quiet")) {
    writeAll(
      Deno.stderr,
      `The key is in ${layout.key}; above is its fingerprint.\n` +
        'Now run "qvm-remote-dom0 authorize VM" in dom0 and compare the fingerprint it shows.\n',
    );
  }
  return EXIT_OK;
}
