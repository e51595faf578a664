// SPDX-License-Identifier: GPL-2.0-or-later
/** Output of dom0 on a terminal: it is shown, and steers nothing. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connectPeer, serveWithBash } from "../dom0_peer.ts";
import { namesIn, runClient, runInTerminal, type Vm, vmTest } from "../fixture.ts";

const ESCAPES =
  "printf '\\033]0;owned\\007\\302\\233 gr\\303\\274n\\tx'; printf '\\033[2J\\233' >&2";
const [OUT, ERR] = ["\x1b]0;owned\x07\u009b grün\tx", "\x1b[2J"];
const [SHOWN_OUT, SHOWN_ERR] = ["^[]0;owned^G\\u{9b} grün\tx", "^[[2J\\x9b"];

/** But for line ends and tabs. */
const STEERS = /[^\P{Cc}\t\r\n]/u;

function served(name: string, run: (vm: Vm) => Promise<void>): void {
  vmTest(name, async (vm) => {
    const peer = await connectPeer(vm);
    serveWithBash(peer);
    await run(vm);
    await peer.close();
  });
}

served(
  "on a terminal both streams are shown, and with --raw they are left as they are",
  async (vm) => {
    const shown = await runInTerminal(vm, ["-c", ESCAPES]);
    assertStringIncludes(shown, SHOWN_OUT);
    assertStringIncludes(shown, SHOWN_ERR);
    assert(!shown.includes("\x1b"), JSON.stringify(shown));
    const raw = await runInTerminal(vm, ["--raw", "-c", ESCAPES]);
    assertStringIncludes(raw, OUT);
    assertStringIncludes(raw, ERR);
  },
);

served("each stream counts for itself: what is no terminal gets the bytes", async (vm) => {
  const file = `${vm.home}/bytes`;
  assertStringIncludes(await runInTerminal(vm, ["-c", ESCAPES], `>${file}`), SHOWN_ERR);
  assertEquals(await Deno.readTextFile(file), OUT);
  assertStringIncludes(await runInTerminal(vm, ["-c", ESCAPES], `2>${file}`), SHOWN_OUT);
  assertStringIncludes(await Deno.readTextFile(file), ERR);
  const { stdout } = await runClient(vm, ["-c", ESCAPES]);
  assertEquals(stdout, OUT);
});

served("a character that is cut between two writes is whole on the terminal", async (vm) => {
  const script = "printf '\\342'; printf '\\202\\254\\342\\202'";
  assertEquals(await runInTerminal(vm, ["-c", script]), "\u20ac\\xe2\\x82");
});

served("the history, and JSON, steer no terminal either", async (vm) => {
  await runClient(vm, ["-c", ESCAPES]);
  const [day = ""] = namesIn(vm.layout.history);
  const [id = ""] = namesIn(`${vm.layout.history}/${day}`);
  const shown = await runInTerminal(vm, ["history", "show", id]);
  assertStringIncludes(shown, SHOWN_OUT);
  assert(!STEERS.test(shown), JSON.stringify(shown));
  assertStringIncludes(await runInTerminal(vm, ["history", "show", "--raw", id]), OUT);
  for (const args of [["--json", "-c", ESCAPES], ["history", "show", "--json", id]]) {
    const json = await runInTerminal(vm, args);
    assert(!STEERS.test(json), JSON.stringify(json));
    assertEquals(JSON.parse(json).stdout, OUT);
  }
});
