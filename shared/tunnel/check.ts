// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-tunnel check": every part of the way to each port, tried and timed. @module */

import { spanMs } from "../io/clock.ts";
import type { PortRoute } from "../io/tcp_port.ts";
import { within } from "../io/timing.ts";
import { realClock } from "./clock.ts";
import { callFailure, FAILURE_TEXT, type FailureClass, TunnelFailure } from "./failure.ts";
import { close } from "./carry/join.ts";
import { createPersistentLink } from "./mux/persistent_link.ts";
import type { Place, Target } from "./place.ts";

/** A direct call that has not ended by then is connected: a refused one ends at once. */
const DIRECT_SETTLE_MS = 1_000;

export interface CheckPart {
  readonly part: "listener" | "vm" | "persistent" | "direct";
  readonly verdict: "good" | "failed" | "unknown";
  readonly failure: FailureClass | "not-listening" | null;
  readonly text: string;
  readonly ms: number;
}

export interface PortCheck {
  readonly port: number;
  readonly remotePort: number;
  /** A tunnel listens, and the port of the VM is reached one way or the other. */
  readonly good: boolean;
  readonly parts: readonly CheckPart[];
}

type Answer = Omit<CheckPart, "part" | "ms">;

export async function checkPorts(
  place: Place,
  vm: Target,
  routes: readonly PortRoute[],
): Promise<readonly PortCheck[]> {
  const results: PortCheck[] = [];
  for (const route of routes) { // one after the other: they would disturb each other's times
    const parts = [
      await timed("listener", () => checkListener(route)),
      await timed("vm", () => Promise.resolve(checkVm(place, vm))),
      await timed("persistent", () => checkPersistent(place, vm, route)),
      await timed("direct", () => checkDirect(place, vm, route)),
    ];
    const isGood = (part: CheckPart["part"]): boolean =>
      parts.some((known) => known.part === part && known.verdict === "good");
    const good = isGood("listener") && (isGood("persistent") || isGood("direct"));
    results.push({ port: route.port, remotePort: route.remotePort, good, parts });
  }
  return results;
}

async function timed(part: CheckPart["part"], run: () => Promise<Answer>): Promise<CheckPart> {
  const startMs = spanMs();
  const answer = await run();
  return { part, ...answer, ms: Math.round((spanMs() - startMs) * 100) / 100 };
}

const good = (text: string): Answer => ({ verdict: "good", failure: null, text });

function failed(error: unknown): Answer {
  if (!(error instanceof TunnelFailure)) throw error;
  return { verdict: "failed", failure: error.failureClass, text: error.message };
}

async function checkListener({ address, port }: PortRoute): Promise<Answer> {
  try {
    close(await Deno.connect({ hostname: address, port }));
    return good("a program listens");
  } catch {
    const text = `nothing listens: start "openclaw-tunnel ${port}"`;
    return { verdict: "failed", failure: "not-listening", text };
  }
}

function checkVm(place: Place, vm: Target): Answer {
  if (place.isHalted(vm)) {
    return { verdict: "failed", failure: "vm-halted", text: FAILURE_TEXT["vm-halted"] };
  }
  if (place.name === "dom0" && !place.wasHalted(vm)) return good("the VM has its qrexec socket");
  return { verdict: "unknown", failure: null, text: "cannot be seen from here" };
}

/** The service, its policy, and a connection to the port in the VM. */
async function checkPersistent(place: Place, vm: Target, route: PortRoute): Promise<Answer> {
  if (place.isHalted(vm)) return failed(new TunnelFailure("vm-halted"));
  let why = new TunnelFailure("vm-halted");
  const startMs = spanMs();
  let helloMs = 0;
  const link = createPersistentLink({
    clock: realClock,
    call: () => place.call(vm, "openclaw.Mux", route.remotePort),
    isHalted: () => place.isHalted(vm),
    wasHalted: () => place.wasHalted(vm),
    incarnation: () => place.incarnation(vm),
    onChange(failure) {
      if (failure === null) helloMs = spanMs() - startMs;
      else why = failure;
    },
  });
  try {
    const stream = await link.open();
    if (stream === null) return failed(why);
    await stream.whenOpened();
    stream.abort();
    return good(`the stream was there after ${helloMs.toFixed(1)} ms, the port answers`);
  } catch (error) {
    return failed(error);
  } finally {
    link.stop();
  }
}

async function checkDirect(place: Place, vm: Target, route: PortRoute): Promise<Answer> {
  if (place.isHalted(vm)) return failed(new TunnelFailure("vm-halted"));
  try {
    const call = place.call(vm, "qubes.ConnectTCP", route.remotePort);
    call.closeInput();
    const drained = call.output.cancel();
    if (!await within(DIRECT_SETTLE_MS, call.ended)) {
      call.kill();
      return good("the call is open");
    }
    await drained;
    const failure = callFailure(await call.ended, false, place.wasHalted(vm));
    return failure === null ? good("the port answers") : failed(failure);
  } catch (error) {
    return failed(error);
  }
}

export function checkText(vm: Target, results: readonly PortCheck[]): string {
  return results.map(({ port, remotePort, good, parts }) =>
    [
      `port ${port} -> ${vm} port ${remotePort}: ${good ? "good" : "NOT REACHED"}\n`,
      ...parts.map(({ part, verdict, text, ms, failure }) =>
        `  ${part.padEnd(10)} ${verdict.padEnd(7)} ${ms.toFixed(1).padStart(8)} ms  ` +
        `${failure === null ? "" : `${failure}: `}${text}\n`
      ),
    ].join("")
  ).join("");
}
