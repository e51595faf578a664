// SPDX-License-Identifier: GPL-2.0-or-later
/** Who asks wrongly gets the right answer, on every route, and nothing is done. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { makeTicket } from "../../../dom0/admin/server/tickets.ts";
import { type AdminScene, type Login, SAME_ORIGIN, startScene } from "./admin_scene.ts";
import { assetPath } from "../../../dom0/admin/assets.ts";
import type { Route } from "../../../dom0/admin/server/router.ts";
import { MAX_FORM_BYTES } from "../../../dom0/admin/server/limits.ts";
import type { PlanView } from "../../../dom0/plans/plan_view.ts";
import { fakeParked, fakeQube } from "./fake_channel.ts";
import { rawRequest, requestText } from "./raw_request.ts";

interface AskedRoute {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly access: "open" | "session";
  readonly maxFormBytes: number;
}

/** Something for each name in a route's path. */
const NAMED: Readonly<Record<string, string>> = {
  vm: "work",
  id: "20261128-143140-1-00000001",
  file: "30-research.policy",
  kind: "policy",
};

/** Every route of the server's own table, with its names filled in: a new one is among them. */
function allRoutes({ admin }: AdminScene): readonly AskedRoute[] {
  assert(admin.routes.length >= 50, `${admin.routes.length} routes`);
  return admin.routes.map((route) => ({
    method: route.method,
    access: route.access,
    maxFormBytes: (route.access === "session" ? route.maxFormBytes : undefined) ?? MAX_FORM_BYTES,
    path: route.path.replace(/:([a-z]+)/g, (_, name: string) => {
      const value = NAMED[name];
      if (value === undefined) throw new Error(`nothing stands for :${name} of ${route.path}`);
      return value;
    }),
  }));
}

/** Those that only a session may ask for. */
function routesOf(scene: AdminScene): readonly AskedRoute[] {
  return allRoutes(scene).filter(({ access }) => access === "session");
}

const FORM = "content-type: application/x-www-form-urlencoded";

async function assertUntouched({ dom0, warned }: AdminScene): Promise<void> {
  await Promise.resolve();
  assertEquals(dom0.did.filter((one) => !one.startsWith("began a web session")), []);
  assertEquals(warned, []);
}

Deno.test("without a session every page is the login page, and every change is 401", async () => {
  await using scene = await startScene();
  const wrong: Login = {
    cookie: `global-admin-session=${"0".repeat(64)}`,
    formToken: "0".repeat(64),
  };
  for (const { method, path } of routesOf(scene)) {
    for (const login of [undefined, wrong]) {
      const { status, text } = method === "GET"
        ? await scene.get(path, login)
        : await scene.post(path, login, { what: "lockdown", operation: "vm.start" });
      assertEquals(status, 401, `${method} ${path}`);
      assert(!text.includes("research") && !text.includes("form-token"), `${path} tells something`);
    }
  }
  await assertUntouched(scene);
});

Deno.test("another Host, two of them or none, is refused on every route", async () => {
  await using scene = await startScene();
  const { cookie } = await scene.login();
  const { port } = scene.admin;
  const hosts = [
    ...[["host: evil.example"], [`host: localhost:${port}`], ["host: 127.0.0.1"], [
      `host: [::1]:${port}`,
    ]],
    ...[[`host: ${scene.host}`, "host: evil.example"], []],
  ];
  for (const { method, path } of allRoutes(scene)) {
    for (const host of hosts) {
      const headers = [...host, `cookie: ${cookie}`, "sec-fetch-site: same-origin", FORM];
      const { status } = await rawRequest(port, requestText(`${method} ${path}`, headers));
      assert([400, 421].includes(status), `${method} ${path} ${host}: ${status}`);
    }
  }
  await assertUntouched(scene);
});

Deno.test("another origin, or a browser that does not say whose page asks, changes nothing", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const foreign: readonly Record<string, string>[] = [
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: `http://127.0.0.1:${scene.admin.port + 1}`, "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "none" },
    { "sec-fetch-site": "" },
    { "sec-fetch-dest": "iframe" },
  ];
  for (const { method, path } of allRoutes(scene)) {
    for (const headers of foreign) {
      const { status, text } = method === "GET"
        ? await scene.get(path, login, { ...SAME_ORIGIN, ...headers })
        : await scene.post(path, login, { what: "lockdown" }, headers);
      assertEquals(status, 403, `${method} ${path} ${JSON.stringify(headers)}`);
      assert(!text.includes("research"), path);
    }
  }
  await assertUntouched(scene);
});

Deno.test("a link of another page leads to the login page, with a session as well", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const visit = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  for (const site of ["cross-site", "same-site"]) {
    const { status, text } = await scene.get("/approvals", login, {
      ...visit,
      "sec-fetch-site": site,
    });
    assertEquals(status, 401);
    assertMatch(text, /No session/);
  }
  const typed = await scene.get("/approvals", login, { ...visit, "sec-fetch-site": "none" });
  assertEquals(typed.status, 200);
});

Deno.test("what changes is not asked for by GET, and a page not by POST", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const paths = Map.groupBy(routesOf(scene), ({ path }) => path);
  for (const [path, routes] of paths) {
    const methods = routes.map(({ method }) => method);
    if (!methods.includes("GET")) {
      const { status, headers } = await scene.get(`${path}?what=lockdown&operation=vm.kill`, login);
      assertEquals([status, headers.get("allow")], [405, "POST"], path);
    }
    if (!methods.includes("POST")) {
      assertEquals((await scene.post(path, login, {})).status, 405, path);
    }
    for (const method of ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]) {
      const headers = [
        `host: ${scene.host}`,
        "sec-fetch-site: same-origin",
        `cookie: ${login.cookie}`,
      ];
      const { status } = await rawRequest(
        scene.admin.port,
        requestText(`${method} ${path}`, headers),
      );
      assertEquals(status, 405, `${method} ${path}`);
    }
  }
  await assertUntouched(scene);
});

Deno.test("a change needs the token of its own session", async () => {
  await using scene = await startScene();
  const [one, other] = [await scene.login(), await scene.login()];
  const tokens = ["", "x".repeat(64), other.formToken, `${one.formToken}0`, "\u00e9".repeat(64)];
  for (const { path } of routesOf(scene).filter(({ method }) => method === "POST")) {
    for (const formToken of tokens) {
      const { status } = await scene.post(path, { ...one, formToken }, { what: "lockdown" });
      assertEquals(status, 403, `${path} ${formToken}`);
    }
  }
  await assertUntouched(scene);
});

/** As the page of a session sends a form, but for what a test adds. */
function formHeaders({ host, origin }: AdminScene, { cookie }: Login): readonly string[] {
  return [
    `host: ${host}`,
    "sec-fetch-site: same-origin",
    `origin: ${origin}`,
    `cookie: ${cookie}`,
  ];
}

Deno.test("a body that is no form is refused on every route, and nothing is done of it", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const headers = formHeaders(scene, login);
  const token = `form-token=${login.formToken}`;
  const many = Array.from({ length: 100 }, (_, i) => `f${i}=1`).join("&");
  const bodies: readonly (readonly [status: number, type: string, body: string])[] = [
    [415, "content-type: application/json", '{"what":"lockdown"}'],
    [415, "content-type: text/plain", `${token}&what=lockdown`],
    [415, "content-type: multipart/form-data; boundary=x", `${token}&what=lockdown`],
    [415, "x-no-type: 1", `${token}&what=lockdown`],
    [400, FORM, `${token}&what=lockdown&what=unlock`],
    [400, FORM, `${token}&what`],
    [400, FORM, `${token}&what=%zz`],
    [400, FORM, `${token}&what=%ff`],
    [400, FORM, `${token}&${many}`],
  ];
  for (const { path } of allRoutes(scene).filter(({ method }) => method === "POST")) {
    for (const [wanted, type, body] of bodies) {
      const { status } = await rawRequest(
        scene.admin.port,
        requestText(`POST ${path}`, [...headers, type], body),
      );
      assertEquals(status, wanted, `${path} ${type} ${body.slice(0, 120)}`);
    }
  }
  await assertUntouched(scene);
});

Deno.test("a body that is too long, or says a wrong length, is refused on every route, unread", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const head = (path: string, length: string): string =>
    `POST ${path} HTTP/1.1\r\n${
      [...formHeaders(scene, login), FORM].join("\r\n")
    }\r\n${length}\r\n\r\n`;
  for (const { path, maxFormBytes } of allRoutes(scene).filter(({ method }) => method === "POST")) {
    const ask = (length: string, body: string) =>
      rawRequest(scene.admin.port, head(path, length) + body);
    const token = `form-token=${login.formToken}`;
    const { status } = await ask(`content-length: ${maxFormBytes + 1}`, token);
    assertEquals(status, 413, path);
    for (const length of ["-1", "1e3", "99999999999999", "0x10"]) {
      const { status } = await ask(`content-length: ${length}`, token);
      assert([400, 413].includes(status), `${path} content-length ${length}: ${status}`);
    }
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    const chunks = chunk.repeat(Math.ceil(maxFormBytes / 65_536) + 1);
    assertEquals(
      (await ask("transfer-encoding: chunked", chunks)).status,
      413,
      `${path} in chunks`,
    );
  }
  await assertUntouched(scene);
  assertEquals((await scene.get("/", login)).status, 200);
});

Deno.test("a body that does not come is given up on every route, and others are served meanwhile", async () => {
  await using scene = await startScene({ headerMs: 300, requestMs: 600 });
  const login = await scene.login();
  const headers = [...formHeaders(scene, login), FORM, "content-length: 100"];
  const posts = allRoutes(scene).filter(({ method }) => method === "POST");
  const slow = posts.map(async ({ path }) => {
    const text = requestText(`POST ${path}`, headers);
    return [path, (await rawRequest(scene.admin.port, `${text}what=`)).status] as const;
  });
  assertEquals((await scene.get("/", login)).status, 200);
  for (const [path, status] of await Promise.all(slow)) assertEquals(status, 408, path);
  await assertUntouched(scene);
  assertEquals((await scene.get("/", login)).status, 200);
});

Deno.test("an address that is none is refused", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const wanted: readonly (readonly [target: string, statuses: readonly number[]])[] = [
    ["/nope", [404]],
    ["//evil.example/", [404]],
    ["/../../etc/passwd", [404]],
    ["/assets/../../etc/passwd", [404]],
    ["/assets/%2e%2e%2fetc%2fpasswd", [404]],
    ["/qubes/%zz", [400]],
    ["/qubes/%ff", [400]],
    [`/${"x".repeat(5_000)}`, [400, 431]],
    ["http://evil.example/", [400]],
    ["*", [400]],
    ["/qubes/constructor", [404]],
    ["/qubes/__proto__", [404]],
  ];
  for (const [target, statuses] of wanted) {
    const headers = [
      `host: ${scene.host}`,
      "sec-fetch-site: same-origin",
      `cookie: ${login.cookie}`,
    ];
    const { status } = await rawRequest(scene.admin.port, requestText(`GET ${target}`, headers));
    assert(statuses.includes(status), `${target}: ${status}`);
  }
  await assertUntouched(scene);
});

Deno.test("every answer forbids scripts of others, frames, and being read by other origins", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const answers = [
    await scene.get("/", login),
    await scene.get("/"),
    await scene.get("/nope", login),
    await scene.get(assetPath("main.js")),
    await scene.post("/lockdown", undefined, {}),
    await scene.get("/", login, { "sec-fetch-site": "cross-site" }),
  ];
  for (const { headers, status } of answers) {
    const policy = headers.get("content-security-policy") ?? "";
    for (
      const part of [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
      ]
    ) {
      assert(policy.includes(part), `${status}: ${part}`);
    }
    assert(policy.includes("require-trusted-types-for 'script'") && !policy.includes("unsafe"));
    assertEquals(headers.get("access-control-allow-origin"), null);
    assertEquals(headers.get("cross-origin-resource-policy"), "same-origin");
    assertEquals(headers.get("cross-origin-opener-policy"), "same-origin");
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("x-frame-options"), "DENY");
  }
  assertEquals(answers[0]?.headers.get("cache-control"), "no-store");
});

Deno.test("a login is good once, soon, and for a cookie that no script and no other site sees", async () => {
  await using scene = await startScene();
  const { cookie } = await scene.login();
  assertMatch(cookie, /^global-admin-session=[0-9a-f]{64}$/);
  assertEquals([...Deno.readDirSync(scene.runFolder)], []);
  const ticket = await makeTicket(scene.runFolder);
  scene.dateMs = Date.now();
  assertEquals((await scene.post("/login", undefined, { ticket })).status, 204);
  assertEquals((await scene.post("/login", undefined, { ticket })).status, 401, "used");
  const old = await makeTicket(scene.runFolder);
  scene.dateMs = Date.now() + 61_000;
  assertEquals((await scene.post("/login", undefined, { ticket: old })).status, 401, "too old");
  const link = await makeTicket(scene.runFolder);
  for await (const { name } of Deno.readDir(scene.runFolder)) {
    await Deno.remove(`${scene.runFolder}/${name}`);
    await Deno.symlink("/dev/zero", `${scene.runFolder}/${name}`);
  }
  assertEquals((await scene.post("/login", undefined, { ticket: link })).status, 401, "no file");
  for (const ticket of ["", "x", "../../etc/passwd", "0".repeat(64)]) {
    assertEquals((await scene.post("/login", undefined, { ticket })).status, 401, ticket);
  }
  const foreign = await scene.post("/login", undefined, { ticket: "x" }, {
    origin: "http://evil.example",
  });
  assertEquals(foreign.status, 403);
});

Deno.test("after ten wrong logins nobody is let in for a minute", async () => {
  await using scene = await startScene();
  for (let i = 0; i < 10; i++) await scene.post("/login", undefined, { ticket: `${i}` });
  assertEquals((await scene.post("/login", undefined, { ticket: "x" })).status, 429);
  scene.dateMs += 61_000;
  assertEquals((await scene.get("/", await scene.login())).status, 200);
});

Deno.test("a session ends by itself, by a person, and with the server", async () => {
  await using scene = await startScene();
  const [one, other] = [await scene.login(), await scene.login()];
  assertMatch((await scene.get("/sessions", one)).text, /2 logged in/);
  assertEquals((await scene.post("/sessions/end", one, { session: "s-2" })).status, 303);
  assertEquals((await scene.get("/", other)).status, 401);
  assertEquals((await scene.post("/sessions/end", one, { session: "s-9" })).status, 404);
  scene.dateMs += 3 * 3600_000;
  assertEquals((await scene.get("/", one)).status, 401, "two hours without use");
  const late = await scene.login();
  for (let hour = 0; hour < 12; hour++) {
    scene.dateMs += 3600_000;
    await scene.get("/", late);
  }
  scene.dateMs += 1;
  assertEquals((await scene.get("/", late)).status, 401, "twelve hours in all");
});

/** What answers with something else than a page has tests of its own. */
const NO_PAGES: ReadonlySet<string> = new Set(["/live", "/palette", "/execute/:id/output"]);

function isPage({ method, access, path }: Route): boolean {
  return method === "GET" && access === "session" && !NO_PAGES.has(path);
}

function hostilePlan(hostile: string): PlanView {
  return {
    vm: hostile,
    id: hostile,
    by: hostile,
    begunMs: 0,
    endedMs: 1,
    state: "failed",
    undoOnFailure: true,
    notUndone: [],
    steps: [{
      number: 1,
      text: hostile,
      operation: hostile,
      state: "failed",
      exit: 1,
      said: hostile,
      result: hostile,
      before: { value: hostile },
      after: { value: [hostile] },
      endedMs: 1,
    }],
  };
}

Deno.test("text of qubes and VMs is inert on every page", async () => {
  await using scene = await startScene();
  const { dom0 } = scene;
  const login = await scene.login();
  const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>' \u202e\x1b[2J\u0000`;
  dom0.now = {
    ...dom0.now,
    daemon: dom0.now.daemon === null ? null : { ...dom0.now.daemon, problems: [hostile] },
    parked: [fakeParked({
      ...{
        vm: "work",
        id: hostile,
        why: hostile,
        runs: [hostile],
        targets: [hostile],
        operation: hostile,
      },
      ...{ rule: { where: hostile, text: hostile }, isScript: true },
      preview: { readMs: 0, lines: [{ kind: "added", text: hostile }], notes: [hostile] },
    })],
    grants: [{
      id: hostile,
      vm: hostile,
      operation: hostile,
      targets: [hostile],
      untilMs: scene.dateMs + 1000,
    }],
  };
  for (const qube of dom0.qubes.values()) {
    Object.assign(qube, { label: hostile, template: hostile, netvm: hostile, class: hostile });
    qube.tags.add(hostile);
    qube.prefs.set("memory", hostile).set(hostile, hostile);
    qube.services.set(hostile, "on");
  }
  dom0.qubes.set(hostile, fakeQube(hostile, { state: hostile }));
  dom0.files.set("40-x.policy", hostile);
  dom0.records = [{
    seq: 1,
    time: new Date(scene.dateMs).toISOString(),
    event: hostile,
    fields: { vm: hostile, command: hostile, [hostile]: hostile },
  }];
  dom0.undoable = [{
    id: hostile,
    timeMs: 0,
    operation: hostile,
    values: { vm: hostile },
    by: hostile,
    before: hostile,
    runs: [hostile],
    changedSince: hostile,
  }];
  dom0.policyChanges = [{
    ...{ id: hostile, timeMs: 1, by: hostile, file: hostile, isUndone: false },
    ...{ before: `${hostile}\n`, after: null, now: null },
  }];
  dom0.qubeFolders.set("work:~", [
    { type: hostile, size: 1, mode: hostile, mtime: 1, name: hostile },
  ]);
  dom0.runs.plans = [hostilePlan(hostile)];
  await dom0.channel.beginShell(hostile, hostile);
  dom0.runs.all[0]?.print(hostile);
  const own: Readonly<Record<string, string>> = {
    "/approvals/:vm/:id": `/approvals/work/${encodeURIComponent(hostile)}`,
    "/plans/:vm/:id": `/plans/${encodeURIComponent(hostile)}/${encodeURIComponent(hostile)}`,
    "/undo/:id": `/undo/${encodeURIComponent(hostile)}`,
    "/undo/:kind/:id": `/undo/policy/${encodeURIComponent(hostile)}`,
    "/policy/:file": "/policy/40-x.policy",
    "/keys/authorize": "/keys/authorize?vm=work",
  };
  const pages = [
    ...scene.admin.routes.filter(isPage).map(({ path }) =>
      own[path] ?? path.replace(/:([a-z]+)/g, (_, name: string) => NAMED[name] ?? "")
    ),
    `/logs?text=${encodeURIComponent(hostile)}`,
    `/qubes?text=${encodeURIComponent(hostile)}`,
    "/files?vm=work&to=research&pick=~",
    `/files?vm=${encodeURIComponent(hostile)}&to=${encodeURIComponent(hostile)}&pick=/&into=/x`,
    `/execute?operation=vm.start&vm=${encodeURIComponent(hostile)}`,
  ];
  let seen = 0;
  for (const path of pages) {
    const { status, text, headers } = await scene.get(path, login);
    assertEquals(status, 200, `${path} ${scene.warned}`);
    assertMatch(headers.get("content-type") ?? "", /^text\/html/, path);
    assert(
      !/<script>alert|<img src=x|onerror=alert\(1\)(?!&gt;)/.test(text),
      `${path} lets markup through`,
    );
    const outside = text.replace(/<textarea[^]*?<\/textarea>/g, "");
    // deno-lint-ignore no-control-regex
    assert(!/[\u202e\x1b\x00]/.test(outside), `${path} lets a control through`);
    seen += text.split("U+202E").length - 1;
  }
  assert(seen >= 30, `${seen} boxes`);
  const { text } = await scene.get("/palette", login);
  assert(!text.includes("\u202e"));
});

Deno.test("the stream of events is for a session, and tells nothing of what waits but its name", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  assertEquals((await scene.get("/live")).status, 401);
  const stop = new AbortController();
  const response = await fetch(`${scene.origin}/live`, {
    headers: { ...SAME_ORIGIN, cookie: login.cookie },
    signal: stop.signal,
  });
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader?.read())?.value ?? "";
  scene.dom0.now = { ...scene.dom0.now, parked: [fakeParked({ why: "secret words" })] };
  scene.dom0.changed();
  while (!text.includes('"waiting":1')) text += (await reader?.read())?.value ?? "";
  assert(!text.includes("secret words"));
  assertMatch(text, /"text":"research: vm.firewall.add"/);
  stop.abort();
  await reader?.closed.catch(() => {});
});
