// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Jobs, while who sends, attaches, waits, and the queue service are killed at any moment: a job runs at
 * most once, and its output comes whole, byte for byte, or there is an error.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { createPrng } from "../fuzz/prng.ts";
import { finish, type Finished, install, type Installed, until } from "./installed.ts";
import { isService, killSeen } from "./seen_processes.ts";

const VM = "work";
const ROUNDS = Number(Deno.env.get("QVM_REMOTE_ROUNDS") ?? 12);
const SEED = Number(Deno.env.get("QVM_REMOTE_SEED") ?? Date.now() % 1_000_000);
const LINES = 400;

Deno.test(`${ROUNDS} jobs under kills: at most once, and every byte or an error`, async () => {
  await using qubes = await install([{ name: VM }]);
  await qubes.authorize(VM);
  const scene = createScene(qubes);
  try {
    // On a busy machine fewer kills come in time.
    for (let round = 0; round < ROUNDS || scene.kills() < 3 * ROUNDS; round++) {
      // A new one each time: it has not yet learnt to wait for a VM that breaks its sessions.
      const daemon = await qubes.startDaemon([VM]);
      await scene.round();
      await scene.ended();
      assertEquals(await daemon.stop(), 0);
    }
    await scene.checkAtMostOnce();
  } catch (error) {
    const text = error instanceof Error ? error.message : `${error}`;
    throw new Error(`seed ${SEED}, after ${scene.kills()} kills: ${text}`);
  }
  console.log(`seed ${SEED}: ${scene.kills()} kills`);
});

function createScene(qubes: Installed) {
  const { world } = qubes;
  const prng = createPrng(SEED);
  const runs = `${world.folder}/job-runs`;
  Deno.writeTextFileSync(runs, "");
  const script = `echo "$QVM_REMOTE_ID" >>'${runs}'
for i in $(seq ${LINES}); do
  echo "$QVM_REMOTE_ID $i"
  [ $((i % 100)) != 0 ] || sleep 0.1
done
echo "err $QVM_REMOTE_ID" >&2
exit 7`;
  const outputOf = (id: string): string =>
    Array.from({ length: LINES }, (_, i) => `${id} ${i + 1}\n`).join("");
  let kills = 0;

  const killed = async (...words: string[]): Promise<Finished> => {
    const child = qubes.spawnClient(VM, words);
    const end = finish(child);
    await delay(prng.below(350));
    try {
      child.kill("SIGKILL");
      kills++;
    } catch { // it was faster
    }
    return await end;
  };
  const killService = async (): Promise<void> => {
    await delay(prng.below(300));
    kills += killSeen(world, isService(VM));
  };
  /** What a client that was killed has passed on is the beginning of the output, and nothing else. */
  const expectBeginning = (id: string, { stdout }: Finished): void => {
    assert(outputOf(id).startsWith(stdout), `${id}: not its output: ${stdout.slice(0, 200)}`);
  };
  /** @returns the id, if it is known though its sender was killed */
  const send = async (): Promise<string | null> => {
    const words = ["--detach", "-c", script];
    if (prng.oneIn(4)) {
      const { stdout } = await killed(...words);
      return stdout === "" ? null : stdout.trim();
    }
    const { code, stdout, stderr } = await qubes.client(VM, words);
    assertEquals(code, 0, stderr);
    return stdout.trim();
  };
  const listed = async (): Promise<readonly { readonly id: string; readonly state: string }[]> =>
    JSON.parse((await qubes.client(VM, ["jobs", "--json"])).stdout).jobs;
  return {
    kills: () => kills,
    /** Resolves when every job has its answer, or has none to wait for. */
    ended: () =>
      until(
        "every job has ended",
        async () => (await listed()).every(({ state }) => state === "ended" || state === "gone"),
      ),
    async round(): Promise<void> {
      const id = await send();
      if (id === null) return;
      const whole = qubes.client(VM, ["attach", id]);
      const lookers = [killed("attach", id), killed("attach", id), killService()] as const;
      const [one, other] = await Promise.all(lookers);
      for (const looker of [one, other]) expectBeginning(id, looker);
      const waited = await killed("wait", id);
      expectBeginning(id, waited);
      await killService();
      const attached = await whole;
      assertEquals([attached.code, attached.stdout], [7, outputOf(id)], attached.stderr);
      const last = await qubes.client(VM, ["wait", id]);
      if (last.code === 1) { // the killed one had fetched it
        assertStringIncludes(
          last.stderr,
          `its answer was fetched: "qvm-remote history show ${id}"`,
        );
        assertEquals(waited.stdout, outputOf(id));
      } else {
        assertEquals([last.code, last.stdout, last.stderr], [7, outputOf(id), `err ${id}\n`]);
      }
    },
    /** Those too whose sender was killed before it said an id: they are listed, and have their end. */
    async checkAtMostOnce(): Promise<void> {
      for (const { id, state } of await listed()) {
        const { code, stdout, stderr } = await qubes.client(VM, ["wait", id]);
        if (state === "gone") {
          assertStringIncludes(stderr, "is not in the queue, and there is no answer to it");
          assert(!Deno.readTextFileSync(runs).includes(id), `${id} ran, and has no answer`);
        } else assertEquals([code, stdout], [7, outputOf(id)], stderr);
      }
      const started = Deno.readTextFileSync(runs).trimEnd().split("\n");
      assertEquals(started.length, new Set(started).size, "a job ran twice");
    },
  };
}
