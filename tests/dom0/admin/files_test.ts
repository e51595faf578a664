// SPDX-License-Identifier: GPL-2.0-or-later
/** The page Files: folders of dom0 and of qubes, checksums, and copying as runs that are followed. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AdminScene, SAME_ORIGIN, startScene } from "./admin_scene.ts";
import { HOSTILE } from "../../web/web_world.ts";

/** What was asked of dom0 to run, but reading. */
const ran = ({ dom0 }: AdminScene): readonly string[] =>
  dom0.did.filter((one) => one.startsWith("run"));

Deno.test("a folder of dom0 is listed with links to its folders, and says how a VM asks for it", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const { text } = await scene.get("/files?path=/home/user/", login);
  assertMatch(text, /href="\/files\?path=%2Fhome%2Fuser%2FDocuments"/);
  assertMatch(text, /release notes\.txt[^]*48,211[^]*0644/);
  assertMatch(text, /qvm-remote push FILE \/home\/user\//);
  assertEquals(text.includes(">Copy to"), false, "nobody has chosen a qube that may read it");
  const gone = await scene.get("/files?path=/nowhere", login);
  assertEquals(gone.status, 200);
  assertMatch(gone.text, /Cannot be read[^]*no such folder/);
  const odd = await scene.get("/files?path=../etc", login);
  assertEquals(odd.status, 200);
});

Deno.test("a checksum is a run that is followed; a folder is made, and is on record", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const hash = { what: "hash", path: "/home/user", file: "/home/user/release notes.txt" };
  const { status, headers } = await scene.post("/files", login, hash);
  assertEquals(status, 303);
  assertMatch(headers.get("location") ?? "", /^\/execute\//);
  const made = { what: "mkdir", path: "/home/user", file: "/home/user/new/" };
  await scene.post("/files", login, made);
  assertMatch((await scene.get("/files?path=/home/user", login)).text, /\/home\/user\/new is made/);
  assert(scene.dom0.folders.has("/home/user/new"));
  assertEquals(ran(scene), [
    'run file.stat {"path":"/home/user/release notes.txt","hash":"true"} by web s-1',
    'run file.mkdir {"path":"/home/user/new"} by web s-1',
  ]);
  for (const what of ["read", "copy"]) {
    const bad = await scene.post("/files", login, { what, path: "/etc", from: "/etc/shadow" });
    assertEquals(bad.status, 400);
  }
});

Deno.test("each way of copying is one operation, with the folder that was chosen or the usual one", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const copies: readonly Record<string, string>[] = [
    { vm: "work", path: "~", from: "~/report.pdf" },
    { vm: "work", path: "~", from: "~/a b", into: "/home/user/Documents/" },
    { path: "/home/user", from: "/home/user/release notes.txt", to: "research" },
    { path: "/home/user", from: "/home/user/x", to: "research", into: "~/papers" },
    { vm: "work", path: "~", from: "~/report.pdf", to: "research" },
    { vm: "work", path: "~", from: "~/x", to: "research", into: "/" },
  ];
  for (const fields of copies) {
    const { headers } = await scene.post("/files", login, { what: "copy", ...fields });
    assertMatch(headers.get("location") ?? "", /^\/execute\//, JSON.stringify(fields));
  }
  assertEquals(
    ran(scene).map((one) => one.replace(/^run | by web s-1$/g, "")),
    [
      'file.fetch {"vm":"work","from":"~/report.pdf","path":"/home/user/QubesIncoming/work/report.pdf"}',
      'file.fetch {"vm":"work","from":"~/a b","path":"/home/user/Documents/a b"}',
      'file.send {"vm":"research","path":"/home/user/release notes.txt"}',
      'file.send {"vm":"research","path":"/home/user/x","to":"~/papers/x"}',
      'file.copy {"vm":"work","from":"~/report.pdf","to_vm":"research"}',
      'file.copy {"vm":"work","from":"~/x","to_vm":"research","to":"/x"}',
    ],
  );
});

Deno.test("a copy into where programs read by themselves is not begun, and says why", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  for (
    const [into, why] of [
      ["/etc/cron.d", /\/etc\/cron\.d\/x.* is not below one of: \/home/],
      ["/home/user/.config/autostart", /is hidden: programs read such files by themselves/],
      ["/home/../etc", /is not a path of dom0/],
    ] as const
  ) {
    const fields = { what: "copy", vm: "work", path: "~", from: "~/x", into };
    const { headers } = await scene.post("/files", login, fields);
    const back = headers.get("location") ?? "";
    assertMatch(back, /^\/files\?vm=work&path=%7E&into=/);
    assertMatch((await scene.get(back, login)).text, why);
  }
  assertEquals(ran(scene), []);
});

Deno.test("a qube is asked when a person looks, and not when an open page updates itself", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const seen = await scene.get("/files?vm=work", login);
  assertMatch(seen.text, /report\.pdf[^]*20,971,520/);
  assertMatch(seen.text, /href="\/files\?vm=work&amp;path=%7E%2FDownloads"/);
  assertMatch(seen.text, /Into <code>\/home\/user\/QubesIncoming\/work<\/code>/);
  scene.dom0.broken.add("file.browse");
  assertMatch((await scene.get("/files?vm=work", login)).text, /Cannot be read[^]*it is broken/);
  const update = await scene.get("/files?vm=work", login, SAME_ORIGIN);
  assertEquals(update.text.includes("it is broken"), false);
  const halted = (await scene.get("/files?vm=personal", login)).text;
  assertMatch(halted, /personal<\/bdi> does not run[^]*Start <bdi>personal/);
  await scene.post("/files", login, { what: "start", vm: "personal", path: "~" });
  assertEquals(scene.dom0.qubes.get("personal")?.state, "Running");
});

Deno.test("a folder is chosen by going through those of the place it goes to", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const path = "/files?path=/home/user&to=work";
  assertMatch((await scene.get(path, login)).text, /Into <code>~\/QubesIncoming\/dom0<\/code>/);
  const { text } = await scene.get(`${path}&pick=~`, login);
  assertMatch(text, /to=work&amp;pick=%7E%2FDownloads#pick/);
  assertMatch(text, /to=work&amp;into=%7E">Use this folder/);
  assertMatch(text, />Copy to <bdi>work<\/bdi>/);
});

Deno.test("names of a qube that nobody can ask for have no button, and none is read as HTML", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const names = [HOSTILE, "../../etc/passwd", "a\x1b[2Jb", "<b>plain", "\u202efdp.exe"];
  scene.dom0.qubeFolders.set(
    "work:~",
    names.map((name) => ({ type: "f", size: 1, mode: "0600", mtime: 1, name })),
  );
  const { text } = await scene.get("/files?vm=work", login);
  assertEquals(
    [...text.matchAll(/form="copy"/g)].length,
    1,
    "only the one that is spelled plainly",
  );
  assertMatch(text, /value="~\/&lt;b&gt;plain"/);
  assertEquals(/<script>alert|<img src=x|<b>plain/.test(text), false);
});
