// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Kills of either side while files go both ways and data is piped in: what is there under its name is
 * whole, what was asked for is done once or not, and asking again brings it to its end.
 */
import { assert, assertEquals } from "@std/assert";
import { isPresent } from "../../shared/io/sync_files.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { createPrng } from "../fuzz/prng.ts";
import { type Daemon, install, type Installed } from "./installed.ts";
import { isService, isSession, killSeen, untilNothingRuns } from "./seen_processes.ts";

const VM = "work";
const ROUNDS = Number(Deno.env.get("QVM_REMOTE_ROUNDS") ?? 24);
const SEED = Number(Deno.env.get("QVM_REMOTE_SEED") ?? Date.now() % 1_000_000);
const FILE_BYTES = 6_000_000;
/** A command starts, sends and ends in about so long. */
const SPAN_MS = 900;

const WAYS = ["push", "pull", "stdin"] as const;
const VICTIMS = ["daemon", "service", "session", "client"] as const;

interface Scene {
  readonly qubes: Installed;
  readonly dom0: string;
  readonly here: string;
  readonly random: ReturnType<typeof createPrng>;
  daemon: Daemon;
}

function fill(path: string, seed: number): string {
  const data = new Uint8Array(FILE_BYTES);
  for (let at = 0; at < data.length; at++) data[at] = (at * 31 + seed * 7 + (at >> 8)) & 0xff;
  Deno.writeFileSync(path, data);
  return sha256Hex(data);
}

const hashOf = (path: string): string => sha256Hex(Deno.readFileSync(path));

/** What is asked, where it ends up, and what it is. */
interface Work {
  readonly words: readonly string[];
  readonly input: string | null;
  readonly target: string;
  readonly sha256: string;
}

function workOf(way: typeof WAYS[number], round: number, { dom0, here }: Scene): Work {
  const [from, to] = way === "pull" ? [dom0, here] : [here, dom0];
  const [source, target] = [`${from}/source-${round}`, `${to}/${way}-${round}`];
  const sha256 = fill(source, round);
  if (way !== "stdin") return { words: [way, source, target], input: null, target, sha256 };
  // The name is there when all of it is; a second run of the same request would be seen.
  const script = `echo "$QVM_REMOTE_ID" >>'${dom0}/runs' && cat >'${target}.new' && ` +
    `mv '${target}.new' '${target}'`;
  return { words: ["-i", "-c", script], input: source, target, sha256 };
}

/** Starts it; the input is piped in. */
function start({ qubes }: Scene, { words, input }: Work): Deno.ChildProcess {
  const child = qubes.spawnClient(VM, words, input === null ? "null" : "piped");
  if (input !== null) {
    const writer = child.stdin.getWriter();
    writer.write(Deno.readFileSync(input)).then(() => writer.close()).catch(() => {});
  }
  return child;
}

async function kill(
  victim: typeof VICTIMS[number],
  child: Deno.ChildProcess,
  scene: Scene,
): Promise<void> {
  const { world } = scene.qubes;
  if (victim === "service") killSeen(world, isService(VM));
  else if (victim === "session") killSeen(world, isSession(VM));
  else if (victim === "client") {
    try {
      child.kill("SIGKILL");
    } catch { /* it has ended */ }
  } else {
    await scene.daemon.kill();
    scene.daemon = await scene.qubes.startDaemon([VM]);
  }
}

Deno.test(`${ROUNDS} kills during push, pull and stdin: whole, once, and brought to an end`, async () => {
  await using qubes = await install([{ name: VM }]);
  await qubes.authorize(VM);
  const dom0 = `${Deno.realPathSync(qubes.world.folder)}/srv`;
  const here = `${qubes.world.vmHome(VM)}/files`;
  for (const folder of [dom0, here]) Deno.mkdirSync(folder);
  const random = createPrng(SEED);
  const scene: Scene = { qubes, dom0, here, random, daemon: await qubes.startDaemon([VM]) };
  for (let round = 0; round < ROUNDS; round++) {
    const way = WAYS[random.below(WAYS.length)] ?? "push";
    const victim = VICTIMS[random.below(VICTIMS.length)] ?? "daemon";
    const what = `seed ${SEED}, round ${round}: ${way}, ${victim} killed`;
    const work = workOf(way, round, scene);
    const child = start(scene, work);
    const ending = child.output();
    await new Promise((resolve) => setTimeout(resolve, random.below(SPAN_MS)));
    await kill(victim, child, scene);
    const { code, stderr } = await ending;
    if (isPresent(work.target)) assertEquals(hashOf(work.target), work.sha256, what);
    else assert(code !== 0, `${what}: it says that it is there`);
    if (code !== 0) {
      const again = await start(scene, work).output();
      const said = new TextDecoder().decode(again.stderr);
      assertEquals(again.code, 0, `${what}: ${said}; before: ${new TextDecoder().decode(stderr)}`);
    }
    assertEquals(hashOf(work.target), work.sha256, what);
    for (const name of ["source", way]) {
      for (const folder of [dom0, here]) {
        if (isPresent(`${folder}/${name}-${round}`)) Deno.removeSync(`${folder}/${name}-${round}`);
      }
    }
  }
  const runs = isPresent(`${dom0}/runs`) ? Deno.readTextFileSync(`${dom0}/runs`).trim() : "";
  const ids = runs.split("\n").filter((id) => id !== "");
  assertEquals(new Set(ids).size, ids.length, `seed ${SEED}: a request ran twice`);
  assertEquals(await scene.daemon.stop(), 0);
  await untilNothingRuns(qubes.world);
  const left = [...Deno.readDirSync(`${qubes.world.dom0Root}/var/lib/qvm-remote/payloads`)]
    .map(({ name }) => name).filter((name) => !name.endsWith(".part"));
  assertEquals(left, [], "what has ended keeps nothing");
});
