// SPDX-License-Identifier: GPL-2.0-or-later
/** The parts put together, with the real clock, network and files; until a signal ends it. @module */

import { writeAll } from "../../shared/io/program.ts";
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

export async function runServer(start: ServerStart): Promise<void> {
  const { places } = start;
  let level = start.config.logLevel;
  const lines = createLineWriter((text) => writeAll(Deno.stderr, text));
  const log = createLog(() => level, () => new Date(), lines.line);
  const ledger = openLedger(
    places.ledger,
    (text) => log("error", "the record of use cannot be written", { text }),
  );
  const metrics = createMetrics();
  const nowMs = (): number => Date.now();
  const breakers = createBreakers(() => live.current().breaker, nowMs);
  const secrets = createSecrets({
    environmentFile: places.environment,
    run: runForSecret,
    nowMs,
  });
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
  const calibration = createCalibration();
  const budget = createBodyBudget(budgetBytes(start.memoryMib));
  let active = 0;
  const startedS = Math.floor(nowMs() / 1000);
  const parts: ServerParts = {
    ...{ breakers, secrets, metrics, log, startedS, pause, endings, budget, calibration },
    config: live.current,
    limiter: createLimiter(ledger, nowMs),
    dice: { nowMs, random: Math.random },
    attempt: createAttempt(createMemory()),
    newId: () => crypto.randomUUID().replaceAll("-", "").slice(0, 24),
    enter() {
      active++;
      return () => void active--;
    },
    gauges: (): Gauge[] => [
      { name: "openclaw_proxy_active_requests", labels: {}, value: active },
      { name: "openclaw_proxy_body_bytes", labels: {}, value: budget.usedBytes() },
      { name: "openclaw_proxy_start_time_seconds", labels: {}, value: startedS },
      { name: "openclaw_proxy_resident_bytes", labels: {}, value: Deno.memoryUsage().rss },
      ...[...live.current().providers.keys()].map((provider): Gauge => ({
        name: "openclaw_proxy_breaker_open",
        labels: { provider },
        value: breakers.state(provider) === "open" ? 1 : 0,
      })),
    ],
  };
  const server = await onFreePort(start.port, () =>
    Deno.serve({
      ...{ hostname: "127.0.0.1", port: start.port },
      onListen: ({ port }) => log("info", "listening", { address: "127.0.0.1", port }),
      onError: () => new Response(null, { status: 500 }), // handle() catches all there is
    }, (request, info) => handle(request, info, null, parts)));
  // After the port: a second proxy has ended there, and leaves the sockets to the first.
  const sockets = createVmSockets(
    places.sockets,
    (path, vm) =>
      Deno.serve({
        path,
        onListen() {},
        onError: () => new Response(null, { status: 500 }),
      }, (request, info) => handle(request, info, vm, parts)),
    log,
  );
  await sockets.apply(vmsOf(live.current()));
  await start.notifier.ready();
  await stopSignal(() => void live.reload());
  log("info", "stopping", { active });
  start.notifier.close();
  live.close();
  const drained = Promise.all([server.shutdown(), sockets.close()]);
  if (!await within(DRAIN_MS, drained)) {
    log("info", "ending what still runs", { active });
    for (const end of [...endings].toReversed()) end(); // a stream's own before its request's
    await within(ENDING_MS, drained);
  }
  ledger.close();
  lines.flush();
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
