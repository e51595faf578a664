// SPDX-License-Identifier: GPL-2.0-or-later
/** Which rule of qrexec's policy would decide, on its page. @module */

import { assert, assertMatch } from "@std/assert";
import { startScene } from "./admin_scene.ts";

Deno.test("a call is described, and the page shows verdict, target, and the line that decides", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const ask = async (service: string, target = "@default"): Promise<string> => {
    const query = new URLSearchParams({ source: "work", service, target });
    return (await scene.get(`/qrexec?${query}`, login)).text;
  };
  const allowed = await ask("openclaw.Mux+32125");
  assertMatch(allowed, /<strong class="allow">allow<\/strong>.*claw.*50-openclaw\.policy:1/s);
  assertMatch(allowed, /<mark>openclaw\.Mux \+32125/, "the file is open, at that line");
  assertMatch(await ask("other.Call"), /deny<\/strong>.*what no rule matches is denied/s);
  assertMatch(await ask("bad service"), /cannot be judged here/);
  const plain = (await scene.get("/qrexec", login)).text;
  assert(!plain.includes('id="verdict"'), "nothing was asked");
});
