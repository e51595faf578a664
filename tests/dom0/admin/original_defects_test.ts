// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What was wrong with the original's panel, a test for each, named after it. Where the thing itself
 * is not here any more (no shell, no other process, no file of its own), the test says so of the code.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { checkPolicy } from "../../../dom0/policy/check_policy.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { under } from "../../source_files.ts";
import { programFlags, tableProgram } from "../../e2e/program_flags.ts";
import { type AdminScene, type Login, SAME_ORIGIN, startScene } from "./admin_scene.ts";
import { rawRequest, requestText } from "./raw_request.ts";

const CODE = under("dom0/admin", "dom0/admin_orders");

function assertNowhere(pattern: RegExp, why: string): void {
  assert(CODE.length >= 40, `${CODE.length} files`);
  assertEquals(CODE.filter(({ code }) => pattern.test(code)).map(({ path }) => path), [], why);
}

async function loggedIn(): Promise<readonly [AdminScene, Login]> {
  const scene = await startScene();
  return [scene, await scene.login()];
}

Deno.test("W1: a GET of any program or page, with any Host, changes nothing", async () => {
  await using scene = await startScene();
  for (
    const path of [
      "/lockdown?what=unlock",
      "/execute?operation=shell&cmd=id",
      "/sessions/elevate?minutes=60",
    ]
  ) {
    const { status } = await rawRequest(
      scene.admin.port,
      requestText(`GET ${path}`, ["host: evil.example"]),
    );
    assertEquals(status, 421, path);
    assert([401, 405].includes((await scene.get(path)).status), path);
  }
  const plain = { "content-type": "text/plain", origin: scene.origin };
  const json = await fetch(`${scene.origin}/lockdown`, {
    method: "POST",
    headers: { ...SAME_ORIGIN, ...plain },
    body: "{}",
  });
  await json.body?.cancel();
  assertEquals(json.status, 401);
  assertEquals(scene.dom0.did, []);
});

Deno.test("W2: names with quotes and semicolons are no commands: no shell in the web, values are checked", async () => {
  assertNowhere(/Deno\.Command\((?!program)/, "only open_browser.ts starts programs");
  assertNowhere(/\/bin\/(ba)?sh|shell: true/, "no shell");
  const [scene, login] = await loggedIn();
  await using _ = scene;
  for (const name of ["'; id; '", "x; id; #", "--dispvm", "$(id)"]) {
    assertEquals((await scene.get(`/qubes/${encodeURIComponent(name)}`, login)).status, 404, name);
    const { text } = await scene.post("/execute", login, { operation: "vm.start", "v-vm": name });
    assertMatch(text, /is not a qube name/);
    let refused = false;
    try {
      recogniseNamed("vm.start", [`vm=${name}`]);
    } catch {
      refused = true;
    }
    assert(refused, "and so the daemon would say");
  }
  assertEquals(scene.dom0.did.filter((one) => one.startsWith("run")), []);
});

Deno.test("W3: elevated mode is in memory, ends by itself, and once more does not make it last", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const begin = { minutes: "10", word: "elevate" };
  await scene.post("/sessions/elevate", login, begin);
  scene.dateMs += 5 * 60_000;
  await scene.post("/sessions/elevate", login, begin);
  await scene.post("/sessions/elevate", login, { minutes: "0" });
  const script = { operation: "shell", "v-script": "id" };
  assertMatch((await scene.post("/execute", login, script)).text, /may not run/);
  assertEquals(scene.dom0.did.filter((one) => /save|shell/.test(one)), [], "no file was written");
});

Deno.test("W4: a VM's requests are judged by the daemon; the web has no policy of its own", () => {
  const deciding = under("dom0/admin").filter(({ imports }) =>
    imports.some((from) => /^(\.\.\/)+policy\/(?!grant_file)|\/judge\//.test(from)) // but the grants' words
  );
  assertEquals(deciding.map(({ path }) => path), [], "it only shows what the daemon says");
});

Deno.test("W5: no level is reached through another: full, and scripts, need elevated mode", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const { text } = await scene.post("/execute", login, {
    operation: "update.install",
    sure: "yes",
  });
  assertMatch(text, /level full/);
  assertEquals(scene.dom0.did.length, 1);
});

Deno.test("W6: rules name operations, and no text is searched for words", () => {
  const rules = parsePolicy(new Map([["10.policy", "vm.remove work * deny\n* work * allow\n"]]));
  assertEquals(checkPolicy(rules, null), []);
  assertNowhere(/blocked.?commands|blocklist/i, "there is no such list");
});

Deno.test("W7: every order that a page gives is one that the daemon knows", () => {
  const [asked, known] = ["dom0/admin/channel/", "dom0/admin_orders/"]
    .map((wanted) =>
      CODE.filter(({ path }) => path.startsWith(wanted)).map(({ code }) => code).join("")
    );
  const orders = [...(asked ?? "").matchAll(/order: "([a-z-]+)"/g)].map(([, name]) => name);
  assert(orders.length >= 15, `${orders.length} orders`);
  assertEquals(orders.filter((name) => !known?.includes(`"${name}"`)), []);
});

Deno.test("W8: lists are values: no heading of a table is taken for a VM, and no part of a key is shown", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const { text } = await scene.get("/policy", login);
  assertEquals(text.split('data-th="Key"').length - 1, 3);
  assert(!/\b[0-9a-f]{64}\b/.test(text.replaceAll(login.formToken, "")), "no key of 64 digits");
});

Deno.test("W9: a deep link leads to its page", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  for (const path of ["/logs", "/logs/journal", "/qubes/work", "/policy/30-research.policy"]) {
    assertEquals((await scene.get(path, login)).status, 200, path);
  }
});

Deno.test("W10: no id is on a page twice", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  for (
    const path of [
      "/",
      "/approvals",
      "/logs",
      "/qubes",
      "/qubes/work",
      "/policy",
      "/execute?operation=vm.create",
      "/sessions",
      "/global",
    ]
  ) {
    const { text } = await scene.get(path, login);
    const ids = [...text.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    assertEquals(ids.filter((id, index) => ids.indexOf(id) !== index), [], path);
  }
});

Deno.test("W11: a policy file that is listed can be read", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const { text } = await scene.get("/qrexec", login);
  const [, path = ""] = /href="(\/qrexec\?file=[^"]+)"/.exec(text) ?? [];
  assertMatch((await scene.get(path, login)).text, /openclaw\.Mux/);
});

Deno.test("W12: a change that fails is no success, stays on the list, and an empty value can be set", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const stage = { operation: "vm.prefs.set", name: "netvm", before: "sys-firewall", after: "" };
  await scene.post("/qubes/work/stage", login, stage);
  await scene.post("/qubes/work/stage", login, {
    ...stage,
    name: "memory",
    before: "400",
    after: "refused",
  });
  await scene.post("/staged", login, { what: "apply" });
  const { text } = await scene.get("/staged", login);
  assertMatch(text, /failed with code 1/);
  assertMatch(text, /Apply 2 changes/);
  await scene.post("/staged", login, { what: "discard", key: "work memory" });
  await scene.post("/staged", login, { what: "apply" });
  assertEquals(scene.dom0.qubes.get("work")?.prefs.get("netvm"), "");
});

Deno.test("W13: a command is in no address, and has a limit of time that the daemon keeps", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  await scene.get("/execute?operation=shell&v-script=id", login);
  assertEquals(scene.dom0.did.length, 1, "a GET runs nothing");
  const run = CODE.find(({ path }) => path === "dom0/admin_orders/operator_runs.ts")?.code ?? "";
  assertMatch(run, /timeoutMs: timeoutSeconds \* 1000/);
});

Deno.test("W14: the watchdog is told only when the server has answered itself", () => {
  const code = CODE.find(({ path }) => path === "dom0/admin/run_admin.ts")?.code ?? "";
  assertMatch(code, /isAlive: answersItself/);
  assertMatch(code, /fetch\(/);
});

Deno.test("W15: bad numbers, lists and lengths get an answer, and the server lives", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  for (const minutes of ["abc", "[1]", "-5", "1e9"]) {
    assertEquals(
      (await scene.post("/sessions/elevate", login, { minutes, word: "elevate" })).status,
      400,
    );
  }
  assertEquals((await scene.get("/logs?before=abc&since=zz&at=-1", login)).status, 200);
  assertEquals((await scene.get("/", login)).status, 200);
});

Deno.test("W16: success is an exit code, not a word in the output", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  await scene.post("/qubes", login, { press: "vm.start nobody" });
  assertMatch((await scene.get("/qubes", login)).text, /failed with code 1/);
});

Deno.test("W17: a backup is a run that is followed; its passphrase is a file in dom0, and no field of a page", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const { text } = await scene.get("/backup", login);
  assert(!/type="password"/.test(text));
  const fields = { location: "/mnt/backup", passphrase_file: "/root/pass", dest_vm: "" };
  for (const [what, operation] of [["start", "backup.start"], ["verify", "backup.verify"]]) {
    const { status, headers } = await scene.post("/backup", login, { ...fields, what: what ?? "" });
    assertEquals(status, 303);
    assertMatch(headers.get("location") ?? "", /^\/execute\/[0-9]/, "not one request for hours");
    const values = '{"passphrase_file":"/root/pass","location":"/mnt/backup"}';
    assertEquals(scene.dom0.did.at(-1), `run ${operation} ${values} by web s-1`);
  }
  assertEquals((await scene.post("/backup", login, { ...fields, what: "" })).status, 400);
});

Deno.test("W18: no CORS, and a strict policy of content", async () => {
  await using scene = await startScene();
  const { headers } = await scene.get("/");
  assertEquals(headers.get("access-control-allow-origin"), null);
  assert(!headers.get("content-security-policy")?.includes("unsafe"));
});

Deno.test("W19: every change names its session in the record", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  await scene.post("/lockdown", login, { what: "lockdown" });
  await scene.post("/qubes/personal/power", login, { operation: "vm.start" });
  assert(scene.dom0.did.length === 3 && scene.dom0.did.every((one) => one.endsWith("by web s-1")));
});

Deno.test("W20: a name with quotes is text in attributes and scripts alike: there is no inline script", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const name = `x" onclick="alert(1)" y='`;
  const { text } = await scene.get(`/qubes?text=${encodeURIComponent(name)}`, login);
  assert(!/ onclick="/.test(text));
  assert(!/<script(?! type="module" src="\/assets\/)/.test(text));
});

Deno.test("W21: no file in /tmp, no link is followed, and what a port says is not run", () => {
  assertNowhere(/\/tmp\b|\beval\b|new Function/, "run folders only");
  const { permissions } = tableProgram("qubes-global-admin-web");
  assert(
    Array.isArray(permissions.write) && permissions.write.every((path) => path.includes("/run/")),
  );
});

Deno.test("the server starts no program and reads nothing but its run folders: only open does", () => {
  const starting = CODE.filter(({ path, code }) =>
    path.startsWith("dom0/admin/") && /\bDeno\.Command\b|run_tool\.ts/.test(code)
  );
  assertEquals(starting.map(({ path }) => path), ["dom0/admin/open_browser.ts"]);
  const given = tableProgram("qubes-global-admin-web").permissions;
  const server = Deno.readTextFileSync(
    new URL("../../../dom0/qubes-global-admin-web.ts", import.meta.url),
  );
  const back = (word: string): boolean => server.includes(`"${word}"`);
  const left = (of: "any" | readonly string[] = []): readonly string[] =>
    of === "any" ? ["any"] : of.filter((one) => !back(one));
  assertEquals(left(given.run), ["systemd-notify", "logger"]);
  assertEquals(left(given.read), ["@ROOT@/run/qvm-remote", "@ROOT@/run/qubes-global-admin-web"]);
  assertEquals(left(given.write), [
    "@ROOT@/run/qvm-remote/admin",
    "@ROOT@/run/qubes-global-admin-web",
  ]);
});

Deno.test("W22: every route but the login and the assets asks for a session", async () => {
  await using scene = await startScene();
  const open = scene.admin.routes.filter(({ access }) => access === "open").map(({ path }) => path);
  assertEquals(open.filter((path) => !path.startsWith("/assets/")), ["/login"]);
});

Deno.test("W23: what a form offers is what the operation takes", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const { text } = await scene.get("/execute?operation=device.attach", login);
  for (const name of ["v-device_class", "v-vm", "v-device"]) {
    assertMatch(text, new RegExp(`name="${name}"`));
  }
  const done = await scene.post("/qubes/work/power", login, { operation: "vm.pause" });
  assertEquals(done.status, 303);
});

Deno.test("W24: all VMs that the daemon serves are there, as they are now", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  assertMatch((await scene.get("/", login)).text, /3 authorised/);
  const { daemon } = scene.dom0.now;
  scene.dom0.now = {
    ...scene.dom0.now,
    daemon: daemon === null ? null : { ...daemon, vms: daemon.vms.slice(1) },
  };
  assertMatch((await scene.get("/", login)).text, /2 authorised/);
});

Deno.test("W25: the record is read in pages, and listening is on loopback only", async () => {
  assertEquals(
    programFlags("qubes-global-admin-web").filter((flag) => flag.startsWith("--allow-net")),
    ["--allow-net=127.0.0.1:9876"],
  );
  const [scene, login] = await loggedIn();
  await using _ = scene;
  assert((await scene.get("/logs", login)).text.length < 200_000);
  const addresses = Deno.networkInterfaces().filter(({ family, address }) =>
    family === "IPv4" && address !== "127.0.0.1"
  );
  for (const { address } of addresses) {
    const reached = await Deno.connect({ hostname: address, port: scene.admin.port })
      .then((one) => (one.close(), true), () => false);
    assert(!reached, address);
  }
});

Deno.test("W26: the service opens no browser: only the user's own command does", () => {
  const starting = CODE.filter(({ code }) => code.includes('"xdg-open"')).map(({ path }) => path);
  assertEquals(starting, ["dom0/admin/open_browser.ts"]);
  const service = CODE.find(({ path }) => path === "dom0/admin/run_admin.ts")?.imports ?? [];
  assert(!service.some((path) => path.includes("open_browser")));
});
