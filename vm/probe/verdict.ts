// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the answers of the proxy and of the gateway mean: it distinguishes what a restart would fix from
 * what it would not, such as a provider's outage, a wrong key, or a channel that is down. Pure.
 *
 * @module
 */

import { printable } from "../../shared/protocol/printable.ts";
import { asTexts } from "./as_text.ts";
import { answerText, type HttpAnswer, objectOf } from "./http_answer.ts";

export type Verdict =
  | { readonly kind: "ok" }
  /** It works; something behind it does not. */
  | { readonly kind: "degraded"; readonly text: string }
  | { readonly kind: "starting" }
  | { readonly kind: "draining" }
  | { readonly kind: "unreachable"; readonly text: string }
  | { readonly kind: "unhealthy"; readonly text: string }
  /** A key or a token is refused. */
  | { readonly kind: "unauthenticated"; readonly text: string }
  /** Another program has the port. */
  | { readonly kind: "stranger"; readonly text: string };

export type VerdictKind = Verdict["kind"];

const OK: Verdict = { kind: "ok" };
/** Of a list that a server sent. */
const SHOWN_ITEMS = 5;

/** @param health the answer to GET /health */
export function proxyVerdict(health: HttpAnswer): Verdict {
  const bad = notAnswered(health);
  if (bad !== null) return bad;
  const body = objectOf(health);
  if (body === null || !("proxy_version" in body)) {
    return { kind: "stranger", text: "what listens there is not openclaw-proxy" };
  }
  if (body["status"] !== "healthy") return { kind: "unhealthy", text: "it says it is not healthy" };
  const providers = providersOf(body);
  const keys = keyTexts(providers);
  if (body["authenticated"] === false && keys.length > 0) {
    return { kind: "unauthenticated", text: keys.join("; ") };
  }
  const out = providers.filter(({ state }) => state === "open").map(({ name }) => name);
  const all = [...(out.length > 0 ? [`left alone after failures: ${names(out)}`] : [])];
  all.push(...keys);
  return all.length === 0 ? OK : { kind: "degraded", text: all.join("; ") };
}

function keyTexts(providers: readonly ProviderState[]): string[] {
  const missing = providers.filter(({ keyMissing }) => keyMissing).map(({ name }) => name);
  const refused = providers.filter(({ keyRefused }) => keyRefused).map(({ name }) => name);
  return [
    ...(missing.length > 0 ? [`no key for ${names(missing)}`] : []),
    ...(refused.length > 0 ? [`the key is refused by ${names(refused)}`] : []),
  ];
}

export interface ProviderState {
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly keyRefused: boolean;
  /** The proxy has none to send. */
  readonly keyMissing: boolean;
}

/** The providers in the proxy's answer to /health. */
export function providersOf(body: Readonly<Record<string, unknown>>): readonly ProviderState[] {
  const list = Array.isArray(body["providers"]) ? body["providers"] : [];
  return list.map((one) => {
    const item: Record<string, unknown> = typeof one === "object" && one !== null ? one : {};
    const text = (name: string): string => typeof item[name] === "string" ? item[name] : "";
    return {
      name: text("name"),
      kind: text("kind"),
      state: text("state"),
      keyRefused: item["keyRefused"] === true,
      keyMissing: item["keyMissing"] === true,
    };
  });
}

export interface GatewayAnswers {
  readonly healthz: HttpAnswer;
  /** Asked only if /healthz answers. */
  readonly startupz: HttpAnswer | null;
  readonly readyz: HttpAnswer | null;
}

export function gatewayVerdict({ healthz, startupz, readyz }: GatewayAnswers): Verdict {
  const phase = startupz === null ? null : objectOf(startupz)?.["status"];
  if (phase === "starting" || phase === "draining") return { kind: phase };
  const bad = notAnswered(healthz);
  if (bad !== null) return bad;
  if (objectOf(healthz)?.["ok"] !== true) {
    return { kind: "stranger", text: "what listens there is not the OpenClaw gateway" };
  }
  const ready = readyz === null ? null : objectOf(readyz);
  if (readyz === null || (readyz.kind === "answer" && readyz.status === 200)) return OK;
  const failing = asTexts(ready?.["failing"]);
  const why = failing.length > 0 ? `not ready: ${names(failing)}` : answerText(readyz);
  return { kind: "degraded", text: why };
}

function notAnswered(answer: HttpAnswer): Verdict | null {
  switch (answer.kind) {
    case "unreachable":
      return { kind: "unreachable", text: answerText(answer) };
    case "broken":
    case "silent":
      return { kind: "unhealthy", text: answerText(answer) };
    case "answer":
      if (answer.status === 200) return null;
      return answer.status === 401 || answer.status === 403
        ? { kind: "unauthenticated", text: answerText(answer) }
        : { kind: "unhealthy", text: answerText(answer) };
    default:
      return answer satisfies never;
  }
}

function names(untrusted: readonly string[]): string {
  const shown = untrusted.slice(0, SHOWN_ITEMS).map((name) =>
    /^[\w.:@-]{1,64}$/.test(name) ? name : printable(name, 64)
  );
  const more = untrusted.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** One line for people. */
export function verdictText(verdict: Verdict): string {
  return "text" in verdict ? `${verdict.kind}: ${verdict.text}` : verdict.kind;
}
