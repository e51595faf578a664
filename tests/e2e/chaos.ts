// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Requests in masses, something killed all the time, and what must hold of each request in the
 * end. The seed decides what is killed and when it is tried; what the machine does in that
 * moment is its own affair, so a seed repeats the plan, not the run.
 *
 * @module
 */

import { utf8 } from "../../shared/protocol/bytes.ts";
import { EXIT_OF_KIND } from "../../shared/protocol/outcome.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import { createRandom } from "../sim/faults.ts";
import {
  type Daemon,
  finish,
  type Finished,
  type Installed,
  readAudit,
  readState,
  until,
} from "./installed.ts";
import { isService, isSession, killSeen } from "./seen_processes.ts";
import { openQueue, type VmQueue } from "./vm_queue.ts";

/** Things that are killed while a daemon runs; the daemon itself is killed after each round. */
export const VICTIMS = ["queue", "session", "cut", "client", "vm"] as const;
export type Victim = typeof VICTIMS[number] | "daemon";

/** Every event of the audit that ends a request. */
export const FINAL_EVENTS: ReadonlySet<string> = new Set([
  ...Object.keys(EXIT_OF_KIND),
]);

const CLIENT_TIMEOUT_S = 30;
/** The client's own: for the way there and back, and for a cancelled command to end. */
const CLIENT_GRACE_MS = 10_000;
/** For a process to start and end on a busy machine. */
const SLACK_MS = 10_000;
const VICTIM_LIMIT_MS = 15_000;

export interface Chaos {
  readonly kills: ReadonlyMap<Victim, number>;
  readonly published: ReadonlyMap<RequestId, VmQueue>;
  /** Those of no client: no client can die, so nothing takes them back. */
  readonly lasting: ReadonlySet<RequestId>;
  /** Complaints about the clients. */
  readonly complaints: readonly string[];
  readonly clients: number;
  /** In dom0: "s ID" at the start of a command, "e ID" at its end. */
  readonly runs: string;
  /** Publishes, kills, and kills the daemon last; starts another one. */
  round(): Promise<void>;
  /** Waits until every request is answered. */
  settle(limitMs: number): Promise<void>;
  readonly daemon: () => Daemon;
}

export async function createChaos(
  qubes: Installed,
  vms: readonly string[],
  seed: number,
): Promise<Chaos> {
  const { world } = qubes;
  const random = createRandom(seed);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const runs = `${world.folder}/runs`;
  await Deno.writeTextFile(runs, "");
  const queues = await Promise.all(vms.map((vm) => openQueue(world, vm)));
  const kills = new Map<Victim, number>();
  const published = new Map<RequestId, VmQueue>();
  const lasting = new Set<RequestId>();
  const complaints: string[] = [];
  const clients = { count: 0, waiting: new Set<Promise<void>>() };
  let daemon = await qubes.startDaemon(vms);
  const count = (victim: Victim): void => void kills.set(victim, (kills.get(victim) ?? 0) + 1);

  const script = (): string =>
    `echo "s $QVM_REMOTE_ID" >>'${runs}'\n${WORK[upTo(WORK.length)]}\n` +
    `echo "e $QVM_REMOTE_ID" >>'${runs}'\n`;

  /** Waits until there is such a process, and then a little: it may be at any point by then. */
  const killWhenThere = async (victim: Victim, isMeant: ReturnType<typeof isService>) => {
    let hit = 0;
    const lateMs = upTo(150);
    for (const deadline = Date.now() + VICTIM_LIMIT_MS; hit === 0 && Date.now() < deadline;) {
      await pause(hit === 0 ? lateMs : 0);
      hit = killSeen(world, isMeant);
      if (hit === 0) await pause(25);
    }
    if (hit > 0) count(victim);
  };
  const cut = async (vm: string): Promise<void> => {
    const direction = random() < 0.5 ? "toVm" : "fromVm";
    const afterBytes = upTo([40, 2_000, 60_000][upTo(3)] ?? 0);
    const seed = upTo(1000);
    const chunks = { maxBytes: 1 + upTo(700), seed, pauseMs: 0 };
    await world.setFaults(vm, {
      cut: { direction, afterBytes, times: 1 },
      chunks: { toVm: chunks, fromVm: chunks },
    });
    count("cut");
  };
  const kill: Record<typeof VICTIMS[number], (queue: VmQueue) => Promise<void>> = {
    queue: ({ vm }) => killWhenThere("queue", isService(vm)),
    session: ({ vm }) => killWhenThere("session", isSession(vm)),
    cut: async ({ vm }) => {
      await pause(upTo(100));
      await cut(vm);
    },
    async client(queue) {
      const child = startClient(queue);
      await pause(60 + upTo(200));
      try {
        child.kill("SIGKILL");
        count("client");
      } catch { // it was faster
      }
    },
    async vm({ vm }) {
      await pause(upTo(150));
      await world.killVm(vm);
      count("vm");
      await pause(upTo(50));
      await world.startVm(vm);
    },
  };
  const startClient = (queue: VmQueue): Deno.ChildProcess => {
    clients.count++;
    const startedMs = Date.now();
    const words = ["-v", "-t", `${CLIENT_TIMEOUT_S}`, "-c", script()];
    const child = qubes.spawnClient(queue.vm, words);
    const waiting = finish(child).then((end) => {
      clients.waiting.delete(waiting);
      const id = /submitted id=(\S+)/.exec(end.stderr)?.[1];
      if (id !== undefined && wasPublished(queue, id)) published.set(id as RequestId, queue);
      complaints.push(...complaintsAboutClient(end, Date.now() - startedMs));
    });
    clients.waiting.add(waiting);
    return child;
  };
  /** A client that says "submitted" may die before; one that is cut off may not have said it. */
  const wasPublished = (queue: VmQueue, id: string): boolean =>
    queue.hasAnswer(id as RequestId) ||
    (["pending", "running"] as const).some((folder) => queue.names(folder).includes(id));

  return {
    kills,
    published,
    lasting,
    complaints,
    runs,
    daemon: () => daemon,
    get clients() {
      return clients.count;
    },
    async round() {
      await Promise.all(queues.map(async (queue) => {
        await world.clearFaults(queue.vm);
        for (let left = 4 + upTo(8); left > 0; left--) {
          const id = await queue.publish(script());
          published.set(id, queue);
          lasting.add(id);
        }
        if (random() < 0.3) startClient(queue);
        for (let left = 2; left > 0; left--) {
          const victim = VICTIMS[upTo(VICTIMS.length)] ?? "queue";
          await kill[victim](queue);
        }
      }));
      await pause(upTo(100));
      await daemon.kill();
      count("daemon");
      for (const { vm } of queues) await world.clearFaults(vm);
      daemon = await qubes.startDaemon(random() < 0.5 ? [] : vms);
    },
    async settle(limitMs) {
      const open = (): string =>
        [...published].filter(([id, queue]) => !queue.hasAnswer(id)).map(([id]) => id).join(" ");
      await Promise.all(clients.waiting);
      for (const { vm } of queues) await world.clearFaults(vm);
      const isSettled = (): boolean =>
        open() === "" &&
        queues.every(({ names }) =>
          (["pending", "running", "cancel"] as const).every((folder) => names(folder).length === 0)
        );
      // A client that was killed between its request and saying so has published one, too.
      for (const { event, vm, id } of readAudit(world)) {
        const queue = queues.find((other) => other.vm === vm);
        if (event !== "accepted" || id === undefined || queue === undefined) continue;
        published.set(id as RequestId, queue);
      }
      await until("every request answered", isSettled, limitMs).catch((error) => {
        const lying = queues.map(({ vm, names }) =>
          `${vm}: ${names("pending")} | ${names("running")} | ${names("cancel")}`
        );
        const state = JSON.stringify(readState(world)?.vms);
        const last = readAudit(world).slice(-10).map(({ event, vm, id }) => `${event} ${vm} ${id}`);
        throw new Error([`${error.message}: ${open()}`, ...lying, state, ...last].join("\n"));
      });
    },
  };
}

/** What a command does between its two marks. Its output is in EXPECTED, by its exit code. */
const WORK: readonly string[] = [
  "printf one; exit_code=0",
  "printf two >&2; (exit 0)",
  "sleep 0.05; printf three",
  "printf fo; sleep 0.15; printf ur",
  "head -c 300000 /dev/zero | tr '\\0' z; sleep 0.02",
];
/** What a command that ended by itself has printed: one of these. */
export const EXPECTED: readonly (readonly [stdout: string, stderr: string])[] = [
  ["one", ""],
  ["", "two"],
  ["three", ""],
  ["four", ""],
  ["z".repeat(300_000), ""],
];

function complaintsAboutClient({ code, stdout, stderr }: Finished, tookMs: number): string[] {
  const limitMs = 1000 * CLIENT_TIMEOUT_S + CLIENT_GRACE_MS + SLACK_MS;
  const end = `client ended with ${code} after ${tookMs} ms: ${stderr}`;
  if (tookMs > limitMs) return [`late: ${end}`];
  switch (code) {
    case 0:
      return EXPECTED.some(([out]) => out === stdout) ? [] : [`other output: ${end}`];
    case 130: // the daemon died while it ran
    case 137: // it was killed, or its VM was
      return [];
    case 124: // taken back: a VM that is killed all the time may not come to it
      return stderr.includes("dom0 did not take the request") ? [] : [end];
    default:
      return [end];
  }
}

export function isExpected(stdout: Uint8Array, stderr: Uint8Array): boolean {
  const same = (bytes: Uint8Array, text: string): boolean => {
    const wanted = utf8(text);
    return bytes.length === wanted.length && bytes.every((byte, i) => byte === wanted[i]);
  };
  return EXPECTED.some(([out, err]) => same(stdout, out) && same(stderr, err));
}

/** What is not as it must be, of all requests: once at most, and one outcome, everywhere the same. */
export async function complaintsAboutRequests(
  qubes: Installed,
  { published, lasting, runs }: Pick<Chaos, "published" | "lasting" | "runs">,
): Promise<readonly string[]> {
  const complaints: string[] = [];
  const started = countWords(await Deno.readTextFile(runs), "s");
  const ended = countWords(await Deno.readTextFile(runs), "e");
  const audit = readAudit(qubes.world);
  const accepted = new Set<string>();
  const finals = new Map<string, typeof audit[number][]>();
  for (const record of audit) {
    const { event, id = "" } = record;
    if (event === "violation" || event === "problem" || event === "failed") {
      complaints.push(JSON.stringify(record));
    }
    if (event === "accepted") {
      if (accepted.has(id)) complaints.push(`${id} was accepted twice`);
      accepted.add(id);
    }
    // Said of a second copy, not of the request.
    const isOfCopy = event === "refused" && record.reason === "replay";
    if (FINAL_EVENTS.has(event) && !isOfCopy) finals.set(id, [...finals.get(id) ?? [], record]);
  }
  for (const id of [...accepted, ...started.keys()]) {
    if (!published.has(id as RequestId)) complaints.push(`${id} is nobody's`);
  }
  for (const [id, queue] of published) {
    const complain = (what: string): void => void complaints.push(`${queue.vm} ${id}: ${what}`);
    const [runsSeen, endsSeen] = [started.get(id) ?? 0, ended.get(id) ?? 0];
    if (runsSeen > 1) complain(`it ran ${runsSeen} times`);
    const [final, ...more] = finals.get(id) ?? [];
    const mayBeCancelled = !lasting.has(id);
    // Its client died before it was sent: dom0 never heard of it.
    const wasKept = mayBeCancelled && !accepted.has(id) && runsSeen === 0;
    if (more.length > 0 || (final === undefined && !wasKept)) {
      complain(`its ends in the audit: ${JSON.stringify(finals.get(id) ?? [])}`);
      continue;
    }
    if (final === undefined) {
      if (!queue.hasAnswer(id)) complain("no answer, of the VM's own service");
      continue;
    }
    try {
      const { outcome, stdout, stderr } = await queue.readAnswer(id);
      if (outcome.kind !== final.event) {
        complain(`${outcome.kind} in the VM, ${final.event} in dom0`);
      }
      if (outcome.kind === "done") {
        if (final["out_sha256"] !== outcome.out.sha256) complain("other output than in the audit");
        if (final["exit"] !== outcome.exitCode) complain("another exit code than in the audit");
        if (runsSeen !== 1 || endsSeen !== 1) complain(`done, but it ran ${runsSeen} times`);
        if (!isExpected(stdout, stderr)) complain(`unexpected output of ${stdout.length} bytes`);
        if (!accepted.has(id)) complain("done, but not accepted");
      } else if (
        outcome.kind !== "interrupted" && !(mayBeCancelled && outcome.kind === "cancelled")
      ) {
        complain(`${outcome.kind} ${outcome.reason}`);
      }
    } catch (error) {
      complain(error instanceof Error ? error.message : String(error));
    }
  }
  return complaints;
}

function countWords(text: string, first: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [word, id = ""] = line.split(" ");
    if (word === first) found.set(id, (found.get(id) ?? 0) + 1);
  }
  return found;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
