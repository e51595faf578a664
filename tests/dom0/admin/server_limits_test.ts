// SPDX-License-Identifier: GPL-2.0-or-later
/** Limits of number and time, and a clean stop. @module */

import { assert, assertEquals } from "@std/assert";
import { SAME_ORIGIN, startScene } from "./admin_scene.ts";
import { rawRequest } from "./raw_request.ts";

Deno.test("a header that does not come is answered with 408, and others are served meanwhile", async () => {
  await using scene = await startScene({ headerMs: 300, requestMs: 600 });
  const { port } = scene.admin;
  const login = await scene.login();
  const slow = [rawRequest(port, ""), rawRequest(port, "GET / HTTP/1.1\r\nhost: x\r\n")];
  assertEquals((await scene.get("/", login)).status, 200);
  for (const { status } of await Promise.all(slow)) assertEquals(status, 408);
  assertEquals((await scene.get("/", login)).status, 200);
});

Deno.test("of 1,000 connections the most are closed, and the server goes on", async () => {
  await using scene = await startScene({ connections: 100, headerMs: 500 });
  const { port } = scene.admin;
  const login = await scene.login();
  const held = await Promise.allSettled(
    Array.from({ length: 1_000 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  const open = held.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  const ends = open.map(async (connection) => {
    using one = connection;
    const buffer = new Uint8Array(512);
    const got = await one.read(buffer).catch(() => null);
    return got === null ? "closed" : new TextDecoder().decode(buffer.subarray(0, got)).slice(9, 12);
  });
  const found = await Promise.all(ends);
  assert(
    found.filter((end) => end === "closed").length >= 500,
    JSON.stringify(
      Object.fromEntries([...Map.groupBy(found, (one) => one)].map(([k, v]) => [k, v.length])),
    ),
  );
  assert(found.some((end) => end === "408"), "those that were let in heard why they had to go");
  assertEquals((await scene.get("/", login)).status, 200);
  assertEquals(scene.warned, []);
});

Deno.test("too many requests at once get 503, and so do too many who follow", async () => {
  await using scene = await startScene({ open: 4, streams: 2 });
  const login = await scene.login();
  const gate = Promise.withResolvers<void>();
  scene.dom0.hooks.beforeRecords = () => gate.promise;
  const waiting = Array.from({ length: 8 }, () => scene.get("/logs", login));
  const first = await Promise.race(waiting);
  assertEquals(first.status, 503);
  gate.resolve();
  const statuses = (await Promise.all(waiting)).map(({ status }) => status);
  assertEquals(statuses.filter((status) => status === 200).length, 4);

  const stop = new AbortController();
  const follow = () =>
    fetch(`${scene.origin}/live`, {
      headers: { ...SAME_ORIGIN, cookie: login.cookie },
      signal: stop.signal,
    });
  const streams = [await follow(), await follow(), await follow()];
  assertEquals(streams.map(({ status }) => status), [200, 200, 503]);
  stop.abort();
  for (const { body } of streams) await body?.cancel().catch(() => {});
});

Deno.test("it stops although browsers follow, requests hang and connections idle", async () => {
  const scene = await startScene();
  const login = await scene.login();
  scene.dom0.hooks.beforeRecords = () => new Promise(() => {});
  const stream = await fetch(`${scene.origin}/live`, {
    headers: { ...SAME_ORIGIN, cookie: login.cookie },
  });
  const hanging = scene.get("/logs", login).catch(() => null);
  using _idle = await Deno.connect({ hostname: "127.0.0.1", port: scene.admin.port });
  await scene[Symbol.asyncDispose]();
  await stream.body?.cancel().catch(() => {});
  assertEquals(await hanging, null);
  assertEquals(scene.dom0.watchers(), 0, "nothing is watched any more");
  const isOpen = await Deno.connect({ hostname: "127.0.0.1", port: scene.admin.port })
    .then((one) => (one.close(), true), () => false);
  assert(!isOpen, "the port is free");
});
