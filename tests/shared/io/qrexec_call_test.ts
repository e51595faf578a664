// SPDX-License-Identifier: GPL-2.0-or-later
/** The local program of a qrexec call: what it says on stderr, however much that is. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describeExit, stderrFlood } from "../../../dom0/session/qrexec.ts";
import { qrexecIncarnation, startCall } from "../../../shared/io/qrexec_call.ts";

const shell = (script: string) => startCall("sh", ["-c", script]);

Deno.test("stderr without end: the call is ended, and its last words are kept", async () => {
  const call = shell("trap '' TERM INT; while :; do echo 'AUTH-OK \x1b[2J'; done >&2");
  const drained = call.output.cancel();
  const end = await call.ended;
  await drained;
  assert(end.stderrFlood);
  assert(end.untrustedStderr.length <= 400 && end.untrustedStderr.includes("AUTH-OK"));
  assertMatch(stderrFlood(end)?.message ?? "", /^stderr-flood: more than 1024 KiB, at last: "/);
  assertMatch(describeExit(end), /broke the protocol/);
});

Deno.test("what a service may say on stderr is read to its end, and ends nothing", async () => {
  const call = shell("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo done >&2; exit 3");
  const drained = call.output.cancel();
  const end = await call.ended;
  await drained;
  assertEquals([end.code, end.stderrFlood], [3, false]);
  assert(end.untrustedStderr.endsWith("xdone\n"));
  assertEquals(stderrFlood(end), null);
});

Deno.test("a call that fails in dom0 is not told as the VM's failure", () => {
  const end = (untrustedStderr: string) => ({ code: 125, untrustedStderr, stderrFlood: false });
  assertMatch(describeExit(end("gntshr: error: ioctl failed: No space left")), /dom0 itself/);
  assertMatch(describeExit(end("")), /the VM is halted, paused or refuses/);
});

Deno.test("another start of a VM is another socket", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assertEquals(qrexecIncarnation(folder, "work"), "");
    const start = async (domain: number): Promise<string> => {
      await Deno.remove(`${folder}/qrexec.work`).catch(() => {});
      await Deno.symlink(`qrexec.${domain}`, `${folder}/qrexec.work`);
      return qrexecIncarnation(folder, "work");
    };
    const first = await start(1);
    assertEquals(qrexecIncarnation(folder, "work"), first);
    assert(await start(2) !== first);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
