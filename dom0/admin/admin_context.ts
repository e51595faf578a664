// SPDX-License-Identifier: GPL-2.0-or-later
/** What every page is made from. @module */

import type { AgentWatch } from "./agent/agent_watch.ts";
import type { ChainState, Dom0Channel, Dom0Now } from "./channel/dom0_channel.ts";
import type { ElevatedMode } from "./elevated_mode.ts";
import type { AskedBySession } from "./server/http_message.ts";
import type { Live } from "./live.ts";
import { settleStaged } from "./staged/settle_staged.ts";
import type { QubeList, QubeLister } from "./qube_list.ts";
import type { Session, Sessions } from "./server/sessions.ts";

/** What the pages have at hand as long as the server runs. */
export interface Admin {
  readonly channel: Dom0Channel;
  readonly sessions: Sessions;
  readonly qubes: QubeLister;
  readonly live: Live;
  readonly agent: AgentWatch;
  readonly elevated: ElevatedMode;
  /** For what is asked anew because a page was made from an old answer. */
  readonly afterPage: (run: () => void) => void;
  readonly dateMs: () => number;
  /** The last look at the whole record; null before there was one. */
  readonly chain: () => SeenChain | null;
}

export interface SeenChain extends ChainState {
  readonly seenMs: number;
}

/** What is true while one page is made. */
export interface View {
  readonly session: Session;
  readonly now: Dom0Now;
  readonly qubes: QubeList;
  readonly chain: SeenChain | null;
  readonly nowMs: number;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Whether a person sees this page; otherwise an open page updates itself with it. */
  readonly isVisit: boolean;
}

export async function viewOf(
  admin: Admin,
  { session, path, query, headers }: AskedBySession,
): Promise<View> {
  const [now, qubes] = await Promise.all([admin.channel.now(), admin.qubes.get()]);
  if (session.applying !== null) {
    settleStaged(session, await admin.channel.plans(), admin.dateMs());
  }
  const isVisit = headers.get("sec-fetch-dest") === "document";
  return {
    session,
    now,
    qubes,
    chain: admin.chain(),
    nowMs: admin.dateMs(),
    path,
    query,
    isVisit,
  };
}

/** As the record says who did it. */
export function askerOf({ name }: Session): string {
  return `web ${name}`;
}

export function isElevated({ elevatedUntilMs }: Session, nowMs: number): boolean {
  return elevatedUntilMs > nowMs;
}
