// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What was wrong with the original's panel, a test for each, named after it. Where the thing itself
 * is not here any more (no shell, no other process, no file of its own), the test says so of the code.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { answersItself } from "../../../dom0/admin/server/answers_itself.ts";
import { makeTicket } from "../../../dom0/admin/server/tickets.ts";
import { createOperatorRuns } from "../../../dom0/admin_orders/operator_runs.ts";
import { createAdmission } from "../../../dom0/judge/admission.ts";
import {
  type Recognised,
  recogniseNamed,
  recogniseScript,
  recogniseWords,
} from "../../../dom0/operations/recognise.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { checkPolicy } from "../../../dom0/policy/check_policy.ts";
import { decideOperation } from "../../../dom0/policy/decide_operation.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import type { KnownQubes } from "../../../dom0/policy/qube_facts.ts";
import { sessionGroups } from "../../../dom0/run/session_groups.ts";
import { createWardens } from "../../../dom0/run/wardens.ts";
import { DEFAULT_CONFIG } from "../../../dom0/settings/config.ts";
import type { Settings } from "../../../dom0/settings/settings.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { programFlags, tableProgram } from "../../e2e/program_flags.ts";
import { under } from "../../source_files.ts";
import { until } from "../../until.ts";
import { makeBusy, PAGES } from "../../web/web_world.ts";
import { processesWith } from "../fixture.ts";
import { type AdminScene, type Login, SAME_ORIGIN, startScene } from "./admin_scene.ts";
import { rawRequest, requestText } from "./raw_request.ts";

/** What the rules say to a request of the VM "work". */
function decided(rules: string, request: Recognised | null): string {
  const policy = parsePolicy(new Map([["10.policy", rules]]));
  assertEquals(checkPolicy(policy, null), []);
  const known: KnownQubes = { inventory: null, tagsOf: () => null, typeOf: () => null };
  const state = { rules: policy, known, nowMs: 0 };
  return decideOperation(parseVmName("work"), request, state).decision.action;
}

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
  const login = await scene.login();
  const before = scene.dom0.did.length;
  const asked = new URLSearchParams({
    ...{ what: "lockdown", turn: "stop", answer: "once", operation: "vm.kill", name: "work" },
    ...{ minutes: "60", word: "elevate", "form-token": login.formToken },
  });
  const changing = scene.admin.routes.filter(({ method }) => method === "POST");
  assert(changing.length > 20, `${changing.length} routes`);
  for (const { path } of changing) {
    await scene.get(`${path.replace(/:[a-z]+/g, "work")}?${asked}`, login);
  }
  assertEquals(scene.dom0.did.slice(before), [], "not with a session and its token either");
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
  const script = { operation: "shell", "v-script": "id" };
  const mayRun = async (): Promise<boolean> =>
    (await scene.post("/execute", login, script)).status === 303;
  await scene.post("/sessions/elevate", login, begin);
  scene.dateMs += 5 * 60_000;
  await scene.post("/sessions/elevate", login, begin);
  assert(await mayRun());
  scene.dateMs += 9 * 60_000;
  assert(await mayRun(), "to the later time");
  scene.dateMs += 2 * 60_000;
  assert(!await mayRun(), "nobody had to ask for anything in between");
  await scene.post("/sessions/elevate", login, begin);
  await scene.post("/sessions/elevate", login, { minutes: "0" });
  assert(!await mayRun(), "after two begins, one end is enough");
  assertEquals(scene.dom0.did.filter((one) => one.startsWith("save")), [], "no file was written");
  assertEquals(scene.dom0.did.filter((one) => one.startsWith("shell")).length, 2);
});

Deno.test("W4: a VM's requests are judged by the daemon; the web has no policy of its own", () => {
  assertEquals(decided("", recogniseScript("id")), "deny", "a key alone is no right");
  assertEquals(decided("@monitor work * allow\n", recogniseScript("id")), "deny");
  assertEquals(decided("shell work * allow\n", recogniseScript("id")), "allow");
  const deciding = under("dom0/admin").filter(({ imports }) =>
    imports.some((from) => /^(\.\.\/)+policy\/(?!grant_file)|\/judge\//.test(from)) // but the grants' words
  );
  assertEquals(deciding.map(({ path }) => path), [], "it only shows what the daemon says");
});

Deno.test("W5: no level is reached through another: full, and scripts, need elevated mode", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const full = [...OPERATIONS.values()].filter(({ level }) => level === "full");
  assert(full.some(({ name }) => name === "vm.run"), "commands in a qube are of level full");
  for (const { name } of full) {
    const fields = { operation: name, sure: "yes", "v-vm": "work", "v-command": "id" };
    assertMatch((await scene.post("/execute", login, fields)).text, /level full/, name);
    const press = await scene.post("/qubes/work/power", login, { operation: name });
    const begin = await scene.post("/global/begin", login, { operation: name });
    assertEquals([press.status, begin.status], [400, 400], `${name} is no button`);
  }
  assertEquals(scene.dom0.did.length, 1, "but the session's begin, nothing");
  const starting = [...OPERATIONS.values()].filter(({ steps }) =>
    steps.some(({ usage }) =>
      usage.startsWith("qvm-run ") && !/--no-autostart|--dispvm=/.test(usage)
    )
  );
  assertEquals(starting.map(({ name }) => name), [], "a look at a halted qube starts none");
});

Deno.test("W6: rules name operations, and no text is searched for words", () => {
  const rules = "vm.remove work * deny\n@manage work * allow\nshell work * allow\n";
  assertEquals(decided(rules, recogniseWords(["qvm-remove", "--force", "lab"])), "deny");
  assertEquals(decided(rules, recogniseScript("qvm-remove   --force   lab")), "deny", "blanks");
  assertEquals(decided(rules, recogniseScript("echo qvm-remove lab")), "allow", "not the word");
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
  makeBusy(scene.dom0, scene.dateMs);
  for (const [, path] of PAGES) {
    const { text, status } = await scene.get(path, login);
    assertEquals(status, 200, path);
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

Deno.test("W13: a command is in no address, has a limit of time that dom0 keeps, and ends with all it started", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  await scene.get("/execute?operation=shell&v-script=id", login);
  assertEquals(scene.dom0.did.length, 1, "a GET runs nothing");
  const folder = await Deno.makeTempDir({ prefix: "w13-" });
  const mark = `w13-${crypto.randomUUID()}-`;
  const runs = createOperatorRuns({
    groups: {
      groups: sessionGroups(),
      wardens: createWardens({ newCgroup: () => "", dropCgroup() {} }),
      markPrefix: mark,
    },
    settings: () => ({ config: DEFAULT_CONFIG, lockdown: false }) as Settings,
    workFolder: folder,
    dateMs: Date.now,
    admission: createAdmission(),
  });
  const run = (timeoutSeconds: number, onOutput = () => {}) => {
    const id = runs.newId();
    const script = utf8("sleep 1000 & echo begun; sleep 1000");
    const steps = [{ begin: () => ({ mode: "script", script }) as const }];
    return { id, ended: runs.run({ id, sequence: { steps }, timeoutSeconds, onOutput }) };
  };
  assertEquals((await run(1).ended).kind, "timeout");
  const begun = Promise.withResolvers<void>();
  const { id, ended } = run(1000, begun.resolve);
  await begun.promise;
  runs.stop(id, "cancelled");
  assertEquals((await ended).kind, "cancelled");
  await until("no process is left, of either", () => processesWith(mark).length === 0);
  await runs.close("stopping");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("W14: it stops although a browser follows, and is alive only if it answers itself", async () => {
  const [scene, login] = await loggedIn();
  const { port } = scene.admin;
  assert(await answersItself(port));
  using hung = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // takes connections, answers none
  assert(!await answersItself((hung.addr as Deno.NetAddr).port, 200));
  const follows = await fetch(`${scene.origin}/live`, {
    headers: { ...SAME_ORIGIN, cookie: login.cookie },
  });
  await scene[Symbol.asyncDispose](); // resolves
  await follows.body?.cancel().catch(() => {});
  assert(!await answersItself(port));
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
  const { runs } = scene.dom0;
  runs.isHeld = true;
  const { headers } = await scene.post("/execute", login, { operation: "update.check" });
  runs.all[0]?.print("dom0 is NOT responding, done, success, ok\n");
  runs.all[0]?.finish({ exitCode: 1 });
  assertMatch((await scene.get(headers.get("location") ?? "", login)).text, /Failed, exit 1/);
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
  makeBusy(scene.dom0, scene.dateMs);
  const changes: readonly (readonly [path: string, fields: Record<string, string>])[] = [
    ["/qubes/personal/power", { operation: "vm.start" }],
    ["/execute", { operation: "vm.kill", "v-vm": "work", sure: "yes" }],
    ["/requests/work/r1/end", {}],
    ["/keys/research/revoke", { name: "research" }],
    ["/keys/work/queue", { what: "clean" }],
    ["/grants", { grant: "1" }],
    ["/daemon", { autostart: "off" }],
    ["/daemon", { turn: "restart" }],
    ["/backup/archive", { what: "make" }],
    ["/lockdown", { what: "lockdown" }],
    ["/lockdown", { what: "unlock", word: "unlock" }],
  ];
  for (const [path, fields] of changes) {
    const before = scene.dom0.did.length;
    await scene.post(path, login, fields);
    const did = scene.dom0.did.slice(before);
    assert(did.length > 0 && did.every((one) => one.endsWith("by web s-1")), `${path}: ${did}`);
  }
});

Deno.test("W20: a name with quotes is text in attributes and scripts alike: there is no inline script", async () => {
  const [scene, login] = await loggedIn();
  await using _ = scene;
  const name = `x" onclick="alert(1)" y='`;
  const { text } = await scene.get(`/qubes?text=${encodeURIComponent(name)}`, login);
  assert(!/ onclick="/.test(text));
  assert(!/<script(?! type="module" src="\/assets\/)/.test(text));
});

Deno.test("W21: no file in /tmp, no link is followed, and what a port says is not run", async () => {
  assertNowhere(/\/tmp\b|\beval\b|new Function/, "run folders only");
  const { permissions } = tableProgram("qubes-global-admin-web");
  assert(
    Array.isArray(permissions.write) && permissions.write.every((path) => path.includes("/run/")),
  );
  await using scene = await startScene();
  const secret = await makeTicket(scene.runFolder);
  for await (const { name } of Deno.readDir(scene.runFolder)) {
    await Deno.remove(`${scene.runFolder}/${name}`);
    await Deno.symlink("/etc/hostname", `${scene.runFolder}/${name}`);
  }
  assertEquals((await scene.post("/login", undefined, { ticket: secret })).status, 401);
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
  const block = { what: "attach", class: "block", device: "sys-usb:sda" };
  await scene.post("/qubes/work/device", login, block);
  assertMatch(scene.dom0.did.at(-1) ?? "", /run device\.attach .*"device_class":"block"/);
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
