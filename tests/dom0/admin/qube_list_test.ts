// SPDX-License-Identifier: GPL-2.0-or-later
/** A machine with 208 qubes: the list in pages, found by the server, acted on in place. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AdminScene, startScene } from "./admin_scene.ts";
import { fakeQube } from "./fake_channel.ts";

async function startLarge(): Promise<AdminScene> {
  const scene = await startScene();
  for (let index = 0; scene.dom0.qubes.size < 208; index++) {
    const name = `disposable-sandbox-${String(index).padStart(4, "0")}`;
    scene.dom0.qubes.set(
      name,
      fakeQube(name, { label: ["red", "gray", "purple"][index % 3] ?? "" }),
    );
  }
  return scene;
}

const rowsOf = (text: string): readonly string[] =>
  [...text.matchAll(/<tr data-key="([^"]+)"/g)].map(([, name = ""]) => name);

Deno.test("the first page of 208 qubes is below 100 KB, and those that run are on it", async () => {
  await using scene = await startLarge();
  const login = await scene.login();
  const { text } = await scene.get("/qubes", login);
  const bytes = new TextEncoder().encode(text).length;
  assert(bytes < 100_000, `${bytes} bytes`);
  assertEquals(rowsOf(text).length, 100);
  assert(rowsOf(text).includes("work"));
  assertMatch(text, /1 to 100 of 208/);
});

Deno.test("all qubes are reached by pages, each once, by all on one page, and by the filter", async () => {
  await using scene = await startLarge();
  const login = await scene.login();
  const at = async (query: string): Promise<readonly string[]> =>
    rowsOf((await scene.get(`/qubes?${query}`, login)).text);
  const pages = (await Promise.all(["page=1", "page=2", "page=3"].map(at))).flat();
  assertEquals([pages.length, new Set(pages).size], [208, 208]);
  assertEquals(await at("all=1"), pages);
  assertEquals(await at("page=99"), await at("page=3"), "no page after the last");
  assertEquals(await at("page=x"), await at("page=1"));
  assertEquals(await at("text=0150"), ["disposable-sandbox-0150"]);
  const { text } = await scene.get("/qubes?label=red", login);
  assert(!text.includes("More qubes"), "what fits has no pages");
});

Deno.test("a qube of the second page starts there, and the page is kept", async () => {
  await using scene = await startLarge();
  const login = await scene.login();
  const name = "disposable-sandbox-0150";
  const fields = { press: `vm.start ${name}`, query: "page=2&label=&text=" };
  const { headers } = await scene.post("/qubes", login, fields);
  assertEquals(headers.get("location"), "/qubes?page=2");
  assertEquals(scene.dom0.qubes.get(name)?.state, "Running");
  const remove = await scene.post("/qubes", login, { press: `vm.remove ${name}`, query: "" });
  assertMatch((await scene.get(remove.headers.get("location") ?? "", login)).text, /Not removed/);
  for (const press of ["", "update.install work", "vm.run work"]) {
    assertEquals((await scene.post("/qubes", login, { press, query: "" })).status, 400, press);
  }
});

Deno.test("the tree says who has no network now, because a qube on the way does not run", async () => {
  await using scene = await startScene();
  const firewall = scene.dom0.qubes.get("sys-firewall");
  assert(firewall !== undefined);
  firewall.state = "Halted";
  const { text } = await scene.get("/network", await scene.login());
  assertMatch(text, /data-key="work">.*?no network now: <bdi>sys-firewall<\/bdi> does not run/s);
  const first = text.slice(text.indexOf('data-key="sys-net"'), text.indexOf('data-key="work"'));
  assert(!first.includes("no network now"), "nobody is in front of it, and sys-firewall is halted");
});
