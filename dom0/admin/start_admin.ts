// SPDX-License-Identifier: GPL-2.0-or-later
/** Puts the web admin together over a channel to dom0, and ends it. @module */

import type { Clock } from "../../shared/io/clock.ts";
import { createAfterPage } from "./after_page.ts";
import { createAgentWatch } from "./agent/agent_watch.ts";
import { createElevatedMode } from "./elevated_mode.ts";
import { startServer } from "./server/admin_server.ts";
import type { Admin, SeenChain } from "./admin_context.ts";
import type { Dom0Channel } from "./channel/dom0_channel.ts";
import { LIMITS, type ServerLimits } from "./server/limits.ts";
import { createLive } from "./live.ts";
import { createQubeLister } from "./qube_list.ts";
import { adminRoutes } from "./routes.ts";
import type { Route } from "./server/router.ts";
import { createSessions, type Sessions } from "./server/sessions.ts";
import { createTicketOffice } from "./server/tickets.ts";

export interface AdminOptions {
  /** 0 for any, in tests. */
  readonly port: number;
  readonly channel: Dom0Channel;
  /** Where tickets are. */
  readonly runFolder: string;
  readonly clock: Clock;
  readonly warn: (line: string) => void;
  readonly limits?: ServerLimits;
  /** How long a browser is left alone with a new page; less in tests. */
  readonly momentMs?: number;
}

export interface RunningAdmin {
  readonly port: number;
  readonly sessions: Sessions;
  readonly routes: readonly Route[];
  /** Somebody is about to look: asks now for what takes a while. */
  prepare(): void;
  close(): Promise<void>;
}

export async function startAdmin(options: AdminOptions): Promise<RunningAdmin> {
  const { channel, clock, port, runFolder, warn, limits = LIMITS, momentMs } = options;
  const { dateMs } = clock;
  const sessions = createSessions(dateMs);
  const live = createLive(channel, limits.streams);
  let chain: SeenChain | null = null;
  const seen: Dom0Channel = {
    ...channel,
    async verifyChain() {
      const state = await channel.verifyChain();
      chain = { ...state, seenMs: dateMs() };
      live.changed();
      return state;
    },
  };
  const afterPage = createAfterPage(momentMs);
  const watching = { channel, dateMs, afterPage, onChange: live.changed };
  const qubes = createQubeLister(watching);
  const elevated = createElevatedMode({ channel, sessions, clock, changed: live.changed });
  const admin: Admin = {
    channel: seen,
    sessions,
    qubes,
    live,
    afterPage,
    dateMs,
    agent: createAgentWatch(watching),
    elevated,
    chain: () => chain,
  };
  const routes = adminRoutes(admin, createTicketOffice(runFolder, dateMs));
  const server = await startServer({ port, limits, routes, sessions, warn });
  return {
    port: server.port,
    sessions,
    routes,
    prepare: () => void qubes.get(),
    async close() {
      afterPage.close();
      live.close();
      await elevated.close();
      await server.close();
    },
  };
}
