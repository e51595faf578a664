// SPDX-License-Identifier: GPL-2.0-or-later
/** What systemd hears: on a real datagram socket, through the real programs. @module */

import { assertEquals } from "@std/assert";
import { createNotifier, type Notifier } from "../../../shared/io/sd_notify.ts";
import { until } from "../../until.ts";

interface Heard {
  /** The lines of all datagrams so far that are assignments, as systemd takes them. */
  lines(): readonly string[];
  readonly notifier: Notifier;
}

/** A socket that stands for systemd's; 300 ms of silence would be too much. */
async function withSystemd(test: (heard: Heard) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const notifySocket = `${folder}/notify`;
  const program = new URL("./notify-listener.ts", import.meta.url).pathname;
  const listener = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", "--unstable-net", program, notifySocket],
    stdout: "piped",
  }).spawn();
  let text = "";
  const reading = (async () => {
    for await (const part of listener.stdout.pipeThrough(new TextDecoderStream())) text += part;
  })();
  try {
    await until("it listens", () => {
      try {
        return Deno.lstatSync(notifySocket).isSocket === true;
      } catch {
        return false;
      }
    });
    const notifier = createNotifier({ notifySocket, watchdogUsec: "300000" });
    try {
      await test({
        notifier,
        lines: () => text.split("\n").filter((line) => /^[A-Z_]+=/.test(line)),
      });
    } finally {
      notifier.close();
      await until("the one that pings has ended", () => pingers(notifySocket).length === 0);
    }
  } finally {
    listener.kill();
    await listener.status;
    await reading;
    await Deno.remove(folder, { recursive: true });
  }
}

function pingers(notifySocket = "/notify"): number[] {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name)).filter((pid) => {
    try {
      const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
      return words[0] === "logger" && words.some((word) => word.endsWith(notifySocket));
    } catch {
      return false; // it ended
    }
  });
}

/** As if no process could be started. */
async function withoutProcesses(test: () => Promise<void>): Promise<void> {
  const path = Deno.env.get("PATH") ?? "";
  Deno.env.set("PATH", "/nowhere");
  try {
    await test();
  } finally {
    Deno.env.set("PATH", path);
  }
}

const count = ({ lines }: Heard, line: string): number =>
  lines().filter((other) => other === line).length;

Deno.test("sd_notify: ready, a status on one line, and a ping again and again", () =>
  withSystemd(async (heard) => {
    await heard.notifier.ready();
    await heard.notifier.status("two\nlines");
    await until("three pings", () => count(heard, "WATCHDOG=1") >= 3);
    const others = heard.lines().filter((line) => !/^(WATCHDOG|BARRIER|MAINPID)=/.test(line));
    assertEquals(others, ["READY=1", "STATUS=two lines"]);
  }));

Deno.test("sd_notify: a ping needs no process to be started", () =>
  withSystemd((heard) =>
    withoutProcesses(async () => {
      const before = count(heard, "WATCHDOG=1");
      await until("three pings", () => count(heard, "WATCHDOG=1") >= before + 3);
    })
  ));

Deno.test("sd_notify: what cannot be said is no error, and is said when it can be", () =>
  withSystemd(async (heard) => {
    await withoutProcesses(async () => {
      await heard.notifier.ready();
      await heard.notifier.status("old");
      await heard.notifier.status("new");
    });
    await until("both are said", () => count(heard, "READY=1") + count(heard, "STATUS=new") === 2);
    assertEquals(count(heard, "STATUS=old"), 0);
  }));

Deno.test("sd_notify: if the one that pings is killed, pings go on", () =>
  withSystemd(async (heard) => {
    await until("a ping", () => count(heard, "WATCHDOG=1") > 0);
    await withoutProcesses(async () => {
      for (const pid of pingers()) Deno.kill(pid, "SIGKILL");
      await until("it is gone", () => pingers().length === 0);
    });
    const before = count(heard, "WATCHDOG=1");
    await until("three pings", () => count(heard, "WATCHDOG=1") >= before + 3);
  }));

Deno.test("sd_notify: without systemd nothing is said, and nothing is started", async () => {
  const notifier = createNotifier({ notifySocket: undefined, watchdogUsec: "300000" });
  await notifier.ready();
  await notifier.status("x");
  notifier.close();
  assertEquals(pingers(), []);
});
