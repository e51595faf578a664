// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make bench-web": what the web admin costs, in chromium. The program itself over a daemon that
 * serves a VM: the first page, the time from an event to the page, the memory while ten tabs follow
 * the log. Long lists over a dom0 in memory. WEB_BENCH_MINUTES says how long the tabs follow.
 *
 * @module
 */

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { PORT } from "../../dom0/admin/run_admin.ts";
import { dom0Paths, type Paths } from "../../dom0/settings/paths.ts";
import { fakeQube, fakeRecord } from "../dom0/admin/fake_channel.ts";
import { type AdminScene, startScene } from "../dom0/admin/admin_scene.ts";
import { install, type Installed, until } from "../e2e/installed.ts";
import { builtText } from "../e2e/launcher_text.ts";
import { sourceLauncher } from "../e2e/program_flags.ts";
import { writeExecutable } from "../executable.ts";
import { type Add, startReport, summary } from "./measure.ts";
import { ownMb, rssMb } from "./proc.ts";
import { openPublisher } from "./publisher.ts";

const ORIGIN = `http://127.0.0.1:${PORT}`;
const ROUNDS = 30;
const TABS = 10;
const MINUTES = Number(Deno.env.get("WEB_BENCH_MINUTES") ?? "0.5");
const QUBES = 200;
const LINES = 100_000;

async function main(): Promise<number> {
  const { add, write } = startReport();
  const browser = await chromium.launch({
    executablePath: Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  try {
    await using qubes = await install([{ name: "work" }, { name: "lab" }]);
    await qubes.authorize("work");
    const daemon = await qubes.startDaemon(["work"]);
    await using server = await startServer(qubes);
    const paths = dom0Paths(qubes.world.dom0Root);
    await benchFirstPage(browser, server, add);
    await benchLive(browser, server, paths, add);
    await benchTabs(browser, { server, qubes }, add);
    await daemon.stop();
    await benchLists(browser, add);
    await write("bench-web.json", { minutes: MINUTES });
    return 0;
  } finally {
    await browser.close();
  }
}

interface Server extends AsyncDisposable {
  readonly pid: number;
  /** Logged in. */
  newContext(browser: Browser): Promise<BrowserContext>;
}

/** The program as it is installed, with its own permissions and nothing more. */
async function startServer({ world }: Installed): Promise<Server> {
  const name = "qubes-global-admin-web";
  const path = `${world.dom0Bin}/${name}`;
  const built = Deno.env.get("QVM_REMOTE_BUILT");
  const text = built === undefined
    ? sourceLauncher(name, `dom0/${name}.ts`)
    : builtText(`${built}/dom0/${name}`, `${world.folder}/lib`);
  writeExecutable(path, text);
  const run = (...args: string[]): Deno.Command =>
    new Deno.Command(path, {
      args,
      clearEnv: true,
      env: world.dom0Env(),
      stdin: "null",
      stderr: "inherit",
      stdout: args.length === 0 ? "inherit" : "piped",
    });
  const child = run().spawn();
  await until(
    "it answers",
    () =>
      fetch(`${ORIGIN}/assets/icon.svg`, { headers: { "sec-fetch-site": "same-origin" } }).then(
        async ({ ok, body }) => (await body?.cancel(), ok),
        () => false,
      ),
  );
  return {
    pid: child.pid,
    async newContext(browser) {
      const { stdout } = await run("ticket").output();
      const { headers } = await fetch(`${ORIGIN}/login`, {
        method: "POST",
        headers: { "sec-fetch-site": "same-origin" },
        body: new URLSearchParams({ ticket: new TextDecoder().decode(stdout).trim() }),
      });
      return await contextOf(browser, ORIGIN, headers.get("set-cookie")?.split(";")[0] ?? "");
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function contextOf(
  browser: Browser,
  url: string,
  cookie: string,
): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
  const [name = "", value = ""] = cookie.split("=");
  await context.addCookies([{ name, value, url }]);
  return context;
}

/**
 * A browser that runs, and has nothing of the page: how long until all of it is there. Beside it an
 * empty page of a server that does nothing, for what the browser takes.
 */
async function benchFirstPage(browser: Browser, server: Server, add: Add): Promise<void> {
  await using empty = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("<!doctype html><title>empty</title>", { headers: HTML }),
  );
  const context = await server.newContext(browser);
  const page = await context.newPage();
  const network = await context.newCDPSession(page);
  await network.send("Network.setCacheDisabled", { cacheDisabled: true });
  const looks: PageLook[] = [];
  const bare: PageLook[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await lookAt(page, `http://127.0.0.1:${empty.addr.port}/`));
    looks.push(await lookAt(page, ORIGIN));
  }
  await context.close();
  const p50 = (all: readonly PageLook[], of: (look: PageLook) => number): number =>
    summary(all.slice(3).map(of)).p50;
  add({
    name: "first page, from the request to all of it, p50",
    value: p50(looks, ({ wholeMs }) => wholeMs),
    unit: "ms",
    goal: 100,
    baseline: { name: "an empty page", value: p50(bare, ({ wholeMs }) => wholeMs) },
  });
  add({
    name: "of it until the server answers, p50",
    value: p50(looks, ({ answerMs }) => answerMs),
    unit: "ms",
  });
  add({
    name: "all that comes over the wire for it",
    value: p50(looks, ({ bytes }) => bytes) / 1024,
    unit: "KB",
    goal: 100,
  });
}

const HTML = { "content-type": "text/html" };

interface PageLook {
  readonly wholeMs: number;
  readonly answerMs: number;
  readonly bytes: number;
}

async function lookAt(page: Page, address: string): Promise<PageLook> {
  await page.goto(address);
  return await page.evaluate(`(() => {
    const [page] = performance.getEntriesByType("navigation");
    const { domContentLoadedEventEnd: wholeMs, requestStart, responseStart } = page;
    // What the page asks for later, to stay true, is no part of it. A header is below 1,000 bytes.
    const files = performance.getEntriesByType("resource")
      .filter(({ startTime, initiatorType }) =>
        startTime < wholeMs && !["xmlhttprequest", "fetch"].includes(initiatorType));
    const bytes = [page, ...files].reduce((sum, one) => sum + one.encodedBodySize + 1000, 0);
    return { wholeMs, answerMs: responseStart - requestStart, bytes };
  })()`) as PageLook;
}

/** From the daemon's file to the number in the title of an open page. */
async function benchLive(
  browser: Browser,
  server: Server,
  { parkedFolder }: Paths,
  add: Add,
): Promise<void> {
  const context = await server.newContext(browser);
  const page = await context.newPage();
  await page.goto(`${ORIGIN}/approvals`);
  await page.waitForSelector("#live-state >> text=Live");
  await page.evaluate(`globalThis.changes = []; new MutationObserver(() =>
    changes.push([document.title, Date.now()])
  ).observe(document.querySelector("title"), { childList: true, characterData: true, subtree: true })`);
  const file = `${parkedFolder}/work-20261128-143140-1-00000001.json`;
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const isThere = round % 2 === 0;
    const atMs = Date.now();
    if (isThere) {
      await Deno.writeTextFile(`${file}.new`, JSON.stringify(PARKED));
      await Deno.rename(`${file}.new`, file);
    } else await Deno.remove(file);
    await page.waitForSelector(`.vitals >> text=${isThere ? 1 : 0} waiting`);
    const last = await page.evaluate("changes.at(-1)[1]");
    times.push(Number(last) - atMs);
    await page.waitForTimeout(100);
  }
  const { p50, p99 } = summary(times);
  add({ name: "live: from the event to the page, p50", value: p50, unit: "ms", goal: 100 });
  add({ name: "the same, p99", value: p99, unit: "ms" });
  await context.close();
}

const PARKED = {
  number: 1,
  vm: "work",
  id: "20261128-143140-1-00000001",
  hash: "0".repeat(64),
  parkedAtMs: Date.now(),
  expiresAtMs: Date.now() + 3600_000,
  operation: "vm.start",
  level: "manage",
  summary: "Start a qube",
  targets: ["lab"],
  rule: "50-work.policy:1",
  why: null,
  timeoutMs: 300_000,
  argvs: [["qvm-start", "lab"]],
  steps: null,
  destructive: false,
  grantable: "like",
  undo: "",
  preview: { rows: [], unknown: [] },
  brings: null,
};

/** A VM asks for something all the time; each request is news for every tab. */
async function benchTabs(
  browser: Browser,
  { server, qubes }: { readonly server: Server; readonly qubes: Installed },
  add: Add,
): Promise<void> {
  const context = await server.newContext(browser);
  for (let tab = 0; tab < TABS; tab++) {
    const page = await context.newPage();
    await page.goto(`${ORIGIN}/logs`);
  }
  const publisher = await openPublisher(qubes.world.vmHome("work"), "work");
  const endMs = Date.now() + MINUTES * 60_000;
  const resident: number[] = [];
  const own: number[] = [];
  let requests = 0;
  while (Date.now() < endMs) {
    await publisher.run("true");
    requests++;
    resident.push(rssMb(server.pid));
    own.push(ownMb(server.pid));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  publisher.close();
  await context.close();
  const what = `${TABS} tabs follow the log for ${MINUTES} min, ${requests} requests`;
  add({ name: `memory while ${what}`, value: Math.max(...resident), unit: "MB", goal: 80 });
  add({ name: "of it not the program's own file", value: Math.max(...own), unit: "MB" });
}

/** Frames while a page is scrolled from its beginning to its end. */
async function benchLists(browser: Browser, add: Add): Promise<void> {
  await using scene = await startScene();
  const { dom0 } = scene;
  for (let number = 0; number < QUBES; number++) {
    const name = `qube-${String(number).padStart(3, "0")}`;
    dom0.qubes.set(name, fakeQube(name, { state: number % 3 === 0 ? "Running" : "Halted" }));
  }
  dom0.records = Array.from({ length: LINES }, (_, index) => fakeRecord(LINES - index));
  const id = await longOutput(scene);
  const { cookie } = await scene.login();
  const context = await contextOf(browser, scene.origin, cookie);
  const page = await context.newPage();
  for (
    const [what, path, place] of [
      [`${QUBES} qubes`, "/qubes", "document.scrollingElement"],
      [`a record of ${LINES} lines`, "/logs", "document.scrollingElement"],
      [
        `output of ${LINES} lines`,
        `/execute/${id}`,
        "document.getElementById('output')",
      ],
    ] as const
  ) {
    const startMs = performance.now();
    await page.goto(`${scene.origin}${path}`);
    add({ name: `${what}: until it is there`, value: performance.now() - startMs, unit: "ms" });
    const frames = await scrollThrough(page, place);
    const { p99 } = summary(frames);
    add({ name: `${what}: frames while it scrolls, p99`, value: p99, unit: "ms", goal: 50 });
    add({ name: "the longest", value: Math.max(...frames), unit: "ms" });
  }
  await context.close();
}

async function longOutput({ dom0 }: AdminScene): Promise<string> {
  dom0.runs.isHeld = true;
  const { id } = await dom0.channel.beginShell("seq", "bench");
  const [run] = dom0.runs.all;
  run?.print(
    Array.from({ length: LINES }, (_, index) => `line ${index}, as long as one is`).join("\n"),
  );
  run?.finish();
  return id;
}

/** @returns the time between each two frames, in ms */
async function scrollThrough(page: Page, place: string): Promise<readonly number[]> {
  return await page.evaluate(`new Promise((resolve) => {
    const place = ${place};
    const frames = [];
    let last = performance.now();
    const step = (now) => {
      frames.push(now - last);
      last = now;
      const before = place.scrollTop;
      place.scrollBy({ top: 400, behavior: "instant" });
      if (frames.length < 600 && (place.scrollTop !== before || frames.length < 30)) requestAnimationFrame(step);
      else resolve(frames.slice(2));
    };
    requestAnimationFrame(step);
  })`) as readonly number[];
}

if (import.meta.main) Deno.exit(await main());
