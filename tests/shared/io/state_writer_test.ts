// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { exists } from "../../../shared/io/files.ts";
import { createStateWriter } from "../../../shared/io/state_writer.ts";

Deno.test("state writer: what write() resolved for can be read, and no timer is left", async () => {
  const folder = await Deno.makeTempDir({ prefix: "state-" });
  const path = `${folder}/state.json`;
  let n = 1;
  const state = createStateWriter({
    ...{ path, mode: 0o600, delayMs: 3_600_000 },
    getState: () => ({ n }),
  });
  state.changed();
  await state.write();
  assertEquals(await Deno.readTextFile(path), '{"n":1}\n');
  n = 2;
  await state.write();
  assertEquals(await Deno.readTextFile(path), '{"n":2}\n');
  await state.close();
  assertEquals(await exists(path), false);
  await Deno.remove(folder, { recursive: true });
});
