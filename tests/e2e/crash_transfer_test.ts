// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Kills of either side while files go both ways, data is piped in and a job prints, all at once: what
 * is there under its name is whole, what was asked for is done once or not, every byte comes or there
 * is an error, and asking again brings it to its end and leaves no part behind.
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { isPresent } from "../../shared/io/sync_files.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { createPrng } from "../fuzz/prng.ts";
import { processesInside, variableOf } from "../sim/processes.ts";
import { type Daemon, install, type Installed, readAudit } from "./installed.ts";
import { isService, isSession, killSeen, untilNothingRuns } from "./seen_processes.ts";

const VM = "work";
const KILLS = Number(Deno.env.get("QVM_REMOTE_KILLS") ?? 200);
const SEED = Number(Deno.env.get("QVM_REMOTE_SEED") ?? Date.now() % 1_000_000);
/** Several windows, and in a pull several frames of each. */
const FILE_BYTES = 4_000_000;
const BETWEEN_MS = 250;
/** dom0 may be slow to connect where it is killed all the time. */
const MOST_ATTEMPTS = 60;

const WAYS = ["push", "pull", "stdin", "live", "job"] as const;
type Way = typeof WAYS[number];
/** The daemon takes all with it, so it comes less often. */
const VICTIMS = [
  ...["daemon", "service", "service", "session", "session"] as const,
  ...["client", "client", "client", "command", "command", "command"] as const,
] as const;

interface Scene {
  readonly qubes: Installed;
  readonly random: ReturnType<typeof createPrng>;
  readonly clients: Set<Deno.ChildProcess>;
  readonly runs: string;
  daemon: Daemon;
}

/** What is asked again and again until it is done. */
interface Work {
  readonly way: Way;
  readonly source: string;
  /** Where it ends up; a job's output ends up here. */
  readonly target: string;
  readonly data: Uint8Array;
}

interface Tried {
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** Others are to know what is under its name, not what becomes of it. */
function look(path: string): string | null {
  return isPresent(path) ? sha256Hex(Deno.readFileSync(path)) : null;
}

async function run(
  { qubes, clients }: Scene,
  words: readonly string[],
  input: Uint8Array<ArrayBuffer> | null = null,
): Promise<Tried> {
  const child = qubes.spawnClient(VM, words, input === null ? "null" : "piped");
  clients.add(child);
  if (input !== null) {
    const writer = child.stdin.getWriter();
    writer.write(input).then(() => writer.close()).catch(() => {});
  }
  const { code, stdout, stderr } = await child.output();
  clients.delete(child);
  return { code, stdout, stderr: new TextDecoder().decode(stderr) };
}

async function attempt(scene: Scene, { way, source, target, data }: Work): Promise<Tried> {
  const mark = `echo "$QVM_REMOTE_ID" >>'${scene.runs}'`; // a second run of a request would be seen
  switch (way) {
    case "push":
    case "pull":
      return await run(scene, [way, source, target]);
    case "stdin":
    case "live": {
      const script = `${mark} && cat >'${target}.new' && mv '${target}.new' '${target}'`;
      const options = way === "live" ? ["-i", "--live"] : ["-i"];
      return await run(scene, [...options, "-c", script], data.slice());
    }
    case "job": {
      const sent = await run(scene, ["--detach", "-c", `${mark} && cat '${source}'`]);
      const id = new TextDecoder().decode(sent.stdout).trim();
      if (sent.code !== 0) return sent;
      const waited = await run(scene, ["wait", id]);
      const printed = waited.stdout;
      assertEquals(sha256Hex(printed), sha256Hex(data.subarray(0, printed.length)), "other bytes");
      return waited;
    }
  }
}

/** Until it is done, whatever is killed meanwhile. */
async function bringToItsEnd(scene: Scene, work: Work): Promise<void> {
  const sha256 = sha256Hex(work.data);
  const said: string[] = [];
  for (let n = 0; n < MOST_ATTEMPTS; n++) {
    const { code, stdout, stderr } = await attempt(scene, work);
    const found = work.way === "job" && code === 0 ? sha256Hex(stdout) : look(work.target);
    if (found !== null) assertEquals(found, sha256, `${work.way}, exit ${code}: ${stderr}`);
    else assert(code !== 0, `${work.way}: it says that it is there`);
    if (code === 0) return;
    said.push(`${code} ${stderr}`);
  }
  throw new Error(`${work.way} does not come to its end:\n${said.join("\n")}`);
}

/** One after the other, in folders of its own, as long as there are kills. @returns how many */
async function keepAt(
  scene: Scene,
  way: Way,
  places: Readonly<Record<"dom0" | "here", string>>,
  isOver: () => boolean,
): Promise<number> {
  const [dom0, here] = [`${places.dom0}/${way}`, `${places.here}/${way}`];
  for (const folder of [dom0, here]) Deno.mkdirSync(folder);
  const [from, to] = way === "pull" || way === "job" ? [dom0, here] : [here, dom0];
  let done = 0;
  for (; !isOver(); done++) {
    const data = createPrng(SEED + done).bytes(FILE_BYTES);
    const work = { way, source: `${from}/source`, target: `${to}/file-${done}`, data };
    Deno.writeFileSync(work.source, data);
    await bringToItsEnd(scene, work);
    const left = [...Deno.readDirSync(to)].map(({ name }) => name)
      .filter((name) => name.startsWith("."));
    assertEquals(left, [], `${way}: parts are left`);
    if (way !== "job") Deno.removeSync(work.target);
  }
  return done;
}

/** @returns how many processes were killed */
async function kill(victim: typeof VICTIMS[number], scene: Scene): Promise<number> {
  const { world } = scene.qubes;
  switch (victim) {
    case "service":
      return killSeen(world, isService(VM));
    case "session":
      return killSeen(world, isSession(VM));
    case "command": {
      const isCommand = (pid: number): boolean => variableOf(pid, "QVM_REMOTE_ID") !== undefined;
      const pids = processesInside(world.folder, undefined).map(({ pid }) => pid).filter(isCommand);
      return killSeen(world, ({ pid, vm }) => vm === undefined && pids.includes(pid)) > 0 ? 1 : 0;
    }
    case "client": {
      const clients = [...scene.clients];
      try {
        clients[scene.random.below(clients.length || 1)]?.kill("SIGKILL");
        return Math.min(1, clients.length);
      } catch { // it was faster
        return 0;
      }
    }
    case "daemon":
      await scene.daemon.kill();
      scene.daemon = await scene.qubes.startDaemon([]);
      return 1;
  }
}

Deno.test(`${KILLS} kills during push, pull, stdin, kept or live, and jobs: whole, once, and brought to an end`, async () => {
  await using qubes = await install([{ name: VM }]);
  await qubes.authorize(VM);
  const { world } = qubes;
  const places = {
    dom0: `${Deno.realPathSync(world.folder)}/srv`,
    here: `${world.vmHome(VM)}/files`,
  };
  for (const folder of Object.values(places)) Deno.mkdirSync(folder);
  const random = createPrng(SEED);
  const runs = `${places.dom0}/runs`;
  const daemon = await qubes.startDaemon([VM]);
  const scene: Scene = { qubes, random, clients: new Set(), runs, daemon };
  const killed = new Map<string, number>();
  const count = (): number => [...killed.values()].reduce((sum, number) => sum + number, 0);
  try {
    let isOver = false;
    const lanes = Promise.all(WAYS.map((way) => keepAt(scene, way, places, () => isOver)));
    lanes.catch(() => isOver = true);
    while (!isOver && count() < KILLS) {
      await delay(random.below(BETWEEN_MS));
      const victim = VICTIMS[random.below(VICTIMS.length)] ?? "daemon";
      killed.set(victim, (killed.get(victim) ?? 0) + await kill(victim, scene));
    }
    isOver = true;
    const done = await lanes;
    const victims = [...killed].map(([victim, number]) => `${victim} ${number}`).join(", ");
    console.log(
      `seed ${SEED}: ${victims}; brought to an end: ${WAYS.map((way, n) => `${way} ${done[n]}`)}`,
    );
  } catch (error) {
    const text = error instanceof Error ? error.message : `${error}`;
    throw new Error(`seed ${SEED}, after ${count()} kills: ${text}`);
  }
  const ids = Deno.readTextFileSync(runs).trim().split("\n");
  assertEquals(new Set(ids).size, ids.length, `seed ${SEED}: a request ran twice`);
  assertEquals(writtenTwice(qubes), [], `seed ${SEED}`);
  assertEquals(await scene.daemon.stop(), 0);
  await untilNothingRuns(world);
  const left = [...Deno.readDirSync(`${world.dom0Root}/var/lib/qvm-remote/payloads`)]
    .map(({ name }) => name).filter((name) => !name.endsWith(".part"));
  assertEquals(left, [], "what has ended keeps nothing");
});

/** Files that more than one request says to have made. */
function writtenTwice({ world }: Installed): readonly string[] {
  const audit = readAudit(world);
  const writes = audit.filter((record) => record["operation"] === "file.write");
  const targets = new Map(writes.map(({ id, targets }) => [id, `${targets}`]));
  const made = audit.filter(({ event, exit }) => event === "done" && exit === 0)
    .flatMap(({ id }) => targets.get(id) ?? []);
  return made.filter((target, n) => made.indexOf(target) !== n);
}
