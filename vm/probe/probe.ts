// SPDX-License-Identifier: GPL-2.0-or-later
/** The proxy and the gateway, asked over loopback. @module */

import type { VmSettings } from "../settings/vm_settings.ts";
import { type Ask, type HttpAnswer, objectOf } from "./http_answer.ts";
import { gatewayVerdict, proxyVerdict, type Verdict } from "./verdict.ts";

export interface Probed {
  readonly verdict: Verdict;
  /** As the server says it, or null. */
  readonly untrustedVersion: string | null;
  /** What it answered to the first question. */
  readonly answer: HttpAnswer;
}

export function proxyUrl({ proxyPort }: Pick<VmSettings, "proxyPort">): string {
  return `http://127.0.0.1:${proxyPort}`;
}

export function gatewayUrl({ gatewayPort }: Pick<VmSettings, "gatewayPort">): string {
  return `http://127.0.0.1:${gatewayPort}`;
}

export async function probeProxy(url: string, ask: Ask, timeoutMs: number): Promise<Probed> {
  const answer = await ask(`${url}/health`, { timeoutMs });
  const version = textOf(objectOf(answer)?.["proxy_version"]);
  return { verdict: proxyVerdict(answer), untrustedVersion: version, answer };
}

export async function probeGateway(url: string, ask: Ask, timeoutMs: number): Promise<Probed> {
  const healthz = await ask(`${url}/healthz`, { timeoutMs });
  const answers = healthz.kind === "answer";
  const [startupz, readyz] = answers
    ? await Promise.all([
      ask(`${url}/startupz`, { timeoutMs }),
      ask(`${url}/readyz`, { timeoutMs }),
    ])
    : [null, null];
  return {
    verdict: gatewayVerdict({ healthz, startupz, readyz }),
    untrustedVersion: startupz === null ? null : textOf(objectOf(startupz)?.["version"]),
    answer: healthz,
  };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
