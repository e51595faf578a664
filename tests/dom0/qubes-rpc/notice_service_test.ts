// SPDX-License-Identifier: GPL-2.0-or-later
/** dom0's openclaw.Notice: six words, and nothing else gets into the journal. @module */

import { assertEquals } from "@std/assert";
import { writeExecutable } from "../../executable.ts";

const SERVICE = new URL("../../../dom0/qubes-rpc/openclaw.Notice", import.meta.url).pathname;
const WORDS = ["gateway", "proxy"].flatMap((part) =>
  ["restarted", "given-up", "well"].map((event) => `${part}.${event}`)
);

/** As qrexec calls it. @returns exit code, and the words that logger got */
async function call(argument: string | undefined, vm = "claw"): Promise<[number, string]> {
  const folder = await Deno.makeTempDir();
  try {
    const logger = `#!/bin/sh\nprintf '%s\\n' "$@" >${folder}/logged\n`;
    writeExecutable(`${folder}/logger`, logger);
    const { code } = await new Deno.Command(SERVICE, {
      args: argument === undefined ? [] : [argument],
      clearEnv: true,
      env: { PATH: `${folder}:/usr/bin:/bin`, QREXEC_REMOTE_DOMAIN: vm },
      stdin: "null",
      stderr: "null",
    }).output();
    return [code, await Deno.readTextFile(`${folder}/logged`).catch(() => "")];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("each known word becomes one line of the journal, with the caller's name", async () => {
  for (const word of WORDS) {
    const logged = `-t\nopenclaw-notice\n-p\ndaemon.warning\n--\nclaw: ${word}\n`;
    assertEquals(await call(word), [0, logged]);
  }
});

Deno.test("anything else is refused, and not written down", async () => {
  const others = ["", "gateway", "gateway.restarted.", "gateway.restarted\nx", "-x", "$(id)", "*"];
  for (const word of [undefined, ...others]) assertEquals(await call(word), [1, ""], word);
});
