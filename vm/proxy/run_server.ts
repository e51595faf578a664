// SPDX-License-Identifier: GPL-2.0-or-later
/** The parts put together, with the real clock, network and files; until a signal ends it. @module */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import { writeAll } from "../../shared/cli/program.ts";
import type { Notifier } from "../../shared/io/sd_notify.ts";
import { pause, within } from "../../shared/io/timing.ts";
import { createAttempt } from "./attempt/attempt.ts";
import { budgetBytes, createBodyBudget } from "./http/body_budget.ts";
import { createBreakers } from "./route/breaker.ts";
import { createCalibration } from "./books/calibration.ts";
import type { Config } from "./config/config.ts";
import { openLedger } from "./books/ledger.ts";
import { createLimiter } from "./books/limits.ts";
import type { Places } from "./config/load_config.ts";
import { createLineWriter, createLog } from "./books/log.ts";
import { createMetrics, type Gauge } from "./books/metrics.ts";
import { createMemory } from "./memory/memory.ts";
import { keepConfig } from "./config/reload.ts";
import { createSecrets, runForSecret } from "./config/secrets.ts";
import { handle, type ServerParts } from "./http/server.ts";
import { onFreePort } from "./http/taken_port.ts";
import { createVmSockets, vmsOf } from "./http/vm_sockets.ts";

export interface ServerStart {
  readonly config: Config;
  readonly port: number;
  readonly places: Places;
  /** That the whole process may use; null: nothing says. */
  readonly memoryMib: number | null;
  readonly load: () => Promise<Config>;
  /** Hears when every port and socket is there. */
  readonly notifier: Notifier;
}

const LOOK_EVERY_MS = 1000;
/** How long what runs may go on after a signal; systemd's patience is longer. */
const DRAIN_MS = 18_000;
/** Then each is ended in its API's words, which have that long to be sent. */
const ENDING_MS = 2_000;

const LEDGER_FAILED = "the record of use cannot be written";

const nowMs = (): number => Date.now();

export async function runServer(start: ServerStart): Promise<void> {
  const { places } = start;
  let level = start.config.logLevel;
  const lines = createLineWriter((text) => writeAll(Deno.stderr, text));
  const log = createLog(() => level, () => new Date(), lines.line);
  const ledger = openLedger(places.ledger, (text) => log("error", LEDGER_FAILED, { text }));
  const metrics = createMetrics();
  const breakers = createBreakers(() => live.current().breaker, nowMs);
  const secrets = createSecrets({ environmentFile: places.environment, run: runForSecret, nowMs });
  const live = await keepConfig(start.config, {
    load: start.load,
    files: [places.config, places.original, places.environment],
    everyMs: LOOK_EVERY_MS,
    log,
    onReload(ok) {
      metrics.count("openclaw_proxy_reloads_total", { result: ok ? "ok" : "refused" });
      if (!ok) return;
      level = live.current().logLevel;
      secrets.forget();
      breakers.reset();
      void sockets.apply(vmsOf(live.current()));
    },
  });
  const endings = new Set<() => void>();
  const underWay = createCount();
  const parts: ServerParts = {
    breakers,
    secrets,
    metrics,
    log,
    startedS: Math.floor(nowMs() / 1000),
    pause,
    endings,
    budget: createBodyBudget(budgetBytes(start.memoryMib)),
    calibration: createCalibration(),
    config: live.current,
    limiter: createLimiter(ledger, nowMs),
    dice: { nowMs, random: Math.random },
    attempt: createAttempt(createMemory()),
    newId,
    enter: underWay.enter,
    gauges: () => gaugesOf(parts, underWay.count()),
  };
  const server = await onFreePort(start.port, () => serveLoopback(start.port, parts));
  // After the port: a second proxy has ended there, and leaves the sockets to the first.
  const serve = (path: string, vm: VmName): Deno.HttpServer => serveSocket(path, vm, parts);
  const sockets = createVmSockets(places.sockets, serve, log);
  await sockets.apply(vmsOf(live.current()));
  await start.notifier.ready();
  await stopSignal(() => void live.reload());
  log("info", "stopping", { active: underWay.count() });
  start.notifier.close();
  live.close();
  await drain(Promise.all([server.shutdown(), sockets.close()]), endings, () => {
    log("info", "ending what still runs", { active: underWay.count() });
  });
  ledger.close();
  lines.flush();
}

/** Waits for what runs; what takes too long is ended in its API's words. */
async function drain(
  drained: Promise<unknown>,
  endings: ReadonlySet<() => void>,
  onLate: () => void,
): Promise<void> {
  if (await within(DRAIN_MS, drained)) return;
  onLate();
  for (const end of [...endings].toReversed()) end(); // a stream's own before its request's
  await within(ENDING_MS, drained);
}

const newId = (): string => crypto.randomUUID().replaceAll("-", "").slice(0, 24);

function createCount(): { readonly count: () => number; readonly enter: () => () => void } {
  let count = 0;
  return {
    count: () => count,
    enter() {
      count++;
      return () => void count--;
    },
  };
}

function gaugesOf({ budget, breakers, config, startedS }: ServerParts, active: number): Gauge[] {
  return [
    { name: "openclaw_proxy_active_requests", labels: {}, value: active },
    { name: "openclaw_proxy_body_bytes", labels: {}, value: budget.usedBytes() },
    { name: "openclaw_proxy_start_time_seconds", labels: {}, value: startedS },
    { name: "openclaw_proxy_resident_bytes", labels: {}, value: Deno.memoryUsage().rss },
    ...[...config().providers.keys()].map((provider): Gauge => ({
      name: "openclaw_proxy_breaker_open",
      labels: { provider },
      value: breakers.state(provider) === "open" ? 1 : 0,
    })),
  ];
}

/** handle() catches all there is. */
const onError = (): Response => new Response(null, { status: 500 });

function serveLoopback(port: number, parts: ServerParts): Deno.HttpServer {
  const onListen = (at: { readonly port: number }): void =>
    parts.log("info", "listening", { address: "127.0.0.1", port: at.port });
  return Deno.serve(
    { hostname: "127.0.0.1", port, onListen, onError },
    (request, info) => handle(request, info, null, parts),
  );
}

function serveSocket(path: string, vm: VmName, parts: ServerParts): Deno.HttpServer {
  return Deno.serve(
    { path, onListen() {}, onError },
    (request, info) => handle(request, info, vm, parts),
  );
}

/** @param onHangup "systemctl reload" */
function stopSignal(onHangup: () => void): Promise<void> {
  Deno.addSignalListener("SIGHUP", onHangup);
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => resolve());
    }
  });
}
