// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createNotifying, withoutMarkup } from "../../../dom0/approval/notify.ts";
import type { Answer, Approver } from "../../../dom0/approval/parking.ts";
import type { ParkedView } from "../../../dom0/approval/parked_view.ts";
import type { Ended, RunTool } from "../../../dom0/approval/screen.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { until } from "../fixture.ts";

const SESSION = "Class=user\nRemote=no\nState=active\nType=x11\nName=ann\nUser=1000\nDisplay=:0\n";

function view(number: number, hash = "h"): ParkedView {
  return {
    ...{ number, vm: "agent", id: `id-${number}`, hash, parkedAtMs: 0, expiresAtMs: 1000 },
    ...{ operation: "shell", level: "full", summary: "Run a script", targets: ["dom0"] },
    ...{
      rule: "50.policy:1",
      why: "<b>trust me</b>\u{202e}",
      timeoutMs: 1000,
      argvs: null,
      steps: null,
      brings: null,
    },
    ...{ destructive: true, grantable: "same", undo: "no", preview: { rows: [], unknown: [] } },
  };
}

interface Screen {
  readonly ran: { argv: readonly string[]; input: string }[];
  readonly answered: string[];
  waiting: readonly ParkedView[];
  /** What each dialog comes to, in turn; none: it stays open. */
  readonly dialogs: Ended[];
  session: string;
  isOn: boolean;
  spanMs: number;
  readonly notifying: ReturnType<typeof createNotifying>;
}

function screen(answer: Answer = { ok: true, text: "" }): Screen {
  const run: RunTool = (argv, input = "") => {
    const words = argv.join(" ");
    if (words.startsWith("loginctl show-seat")) return ended("c2\n");
    if (words.startsWith("loginctl show-session c2")) return ended(scene.session);
    if (words.startsWith("systemctl --user")) {
      return ended("XAUTHORITY=/run/x\nDISPLAY=:1\nX=$(id)\n");
    }
    scene.ran.push({ argv, input });
    if (!words.includes("/usr/bin/zenity")) return ended("");
    const next = scene.dialogs.shift();
    return next === undefined ? new Promise(() => {}) : Promise.resolve(next);
  };
  const answers = (what: string) => (order: { hash: string; id: string }, by: Approver) => {
    scene.answered.push(`${what} ${order.id} ${order.hash} ${by.user} ${by.via}`);
    if (answer.ok) scene.waiting = scene.waiting.filter(({ id }) => id !== order.id);
    return Promise.resolve(answer);
  };
  const scene: Screen = {
    ...{ ran: [], answered: [], waiting: [], dialogs: [], session: SESSION, isOn: true, spanMs: 0 },
    notifying: createNotifying({
      ...{ isOn: () => scene.isOn, run, has: () => true, spanMs: () => scene.spanMs },
      current: ({ id }) => scene.waiting.find((one) => one.id === id),
      scriptOf: () => utf8(`echo \x1b[2J <i>\n${"x".repeat(400)}; rm -r /\n`),
      ...{ approve: answers("approve"), deny: answers("deny") },
    }),
  };
  return scene;
}

const ended = (stdout: string, code = 0): Promise<Ended> => Promise.resolve({ code, stdout });

function ask(scene: Screen, number = 1): { readonly end: () => void } {
  scene.waiting = [...scene.waiting, view(number)];
  return scene.notifying.notice(view(number));
}

const dialogs = ({ ran }: Screen) => ran.filter(({ argv }) => argv.includes("/usr/bin/zenity"));
const notes = ({ ran }: Screen) => ran.filter(({ argv }) => argv.includes("/usr/bin/notify-send"));

Deno.test("notify: the dialog runs as the user at the screen, with the text on its stdin", async () => {
  const scene = screen();
  scene.dialogs.push({ code: 0, stdout: "" });
  ask(scene);
  await until("it is answered", () => scene.answered.length > 0);
  assertEquals(scene.answered, ["approve id-1 h ann dialog"]);
  const [dialog] = dialogs(scene);
  const argv = dialog?.argv ?? [];
  assertEquals(argv[0], "systemd-run");
  assert(argv.includes("--uid=ann") && argv.includes("--setenv=DISPLAY=:1"));
  assert(argv.includes("--setenv=XAUTHORITY=/run/x"));
  assert(
    !argv.some((word) => word.includes("trust me") || word.includes("$(id)")),
    "nothing of the VM",
  );
  assertStringIncludes(dialog?.input ?? "", "   1 | echo \\u{1b}[2J <i>\n");
  assertStringIncludes(dialog?.input ?? "", "<b>trust me</b>\\u{202e}   (says agent)");
  const lines = dialog?.input.split("\n") ?? [];
  assert(lines.every((line) => line.length <= 80), "nothing behind the edge of the window");
  const [note] = notes(scene);
  assertEquals(note?.argv.slice(-2), ["qvm-remote: agent asks", "shell on dom0"]);
});

Deno.test("notify: closing the dialog answers nothing; Deny denies", async () => {
  const scene = screen();
  scene.dialogs.push({ code: 1, stdout: "" }, { code: 1, stdout: "Deny\n" });
  ask(scene, 1);
  ask(scene, 2);
  await until("the second is answered", () => scene.answered.length > 0);
  assertEquals(scene.answered, ["deny id-2 h ann dialog"]);
});

Deno.test("notify: one dialog at a time, and none for what waits no more", async () => {
  const scene = screen();
  const first = ask(scene, 1);
  const second = ask(scene, 2);
  await until("the first is shown", () => dialogs(scene).length === 1);
  second.end();
  scene.waiting = scene.waiting.filter(({ number }) => number === 1);
  first.end();
  const stopped = ({ ran }: Screen) => ran.filter(({ argv }) => argv[0] === "systemctl");
  await until("it is closed", () => stopped(scene).length === 1);
  assertEquals(dialogs(scene).length, 1);
  assertEquals(notes(scene).length, 1, "they came at once");
});

Deno.test("notify: what has changed meanwhile is shown again", async () => {
  const scene = screen({ ok: false, text: "look again" });
  scene.dialogs.push({ code: 0, stdout: "" }, { code: 1, stdout: "" });
  ask(scene);
  scene.waiting = [view(1, "new")]; // while the dialog is open
  await until("it is shown twice", () => dialogs(scene).length === 2);
  assertEquals(scene.answered, ["approve id-1 h ann dialog"], "what was shown");
});

for (
  const [what, session] of [
    ["a greeter", SESSION.replace("Class=user", "Class=greeter")],
    ["somebody far away", SESSION.replace("Remote=no", "Remote=yes")],
    ["a text console", SESSION.replace("Type=x11", "Type=tty")],
    ["a locked-away session", SESSION.replace("State=active", "State=online")],
    ["a name with blanks", SESSION.replace("Name=ann", "Name=a b")],
  ] as const
) {
  Deno.test(`notify: ${what} is shown nothing`, async () => {
    const scene = screen();
    scene.session = session;
    ask(scene);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(scene.ran, []);
  });
}

Deno.test("notify: turned off, nothing is started", async () => {
  const scene = screen();
  scene.isOn = false;
  ask(scene).end();
  scene.notifying.tellRun({ vm: "agent", operation: "vm.start", targets: ["work"] });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(scene.ran, []);
});

Deno.test("notify: of a VM that is backed off the person hears, whatever came just before", async () => {
  const scene = screen();
  ask(scene);
  scene.notifying.tellBackedOff("lab");
  await until("both are told", () => notes(scene).length === 2);
  assertEquals(notes(scene)[1]?.argv.slice(-2), [
    "qvm-remote: lab is not listened to",
    "its requests are not signed with the key that dom0 has",
  ]);
  scene.isOn = false;
  scene.notifying.tellBackedOff("lab");
  assertEquals(notes(scene).length, 2);
});

Deno.test("notify: a body has no markup", () => {
  assertEquals(withoutMarkup("<a href='x'>&amp;"), "&lt;a href='x'&gt;&amp;amp;");
});
