// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl health": every endpoint asked as its clients ask it; each check is one line. @module */

import { ifPresent, readPrivate } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { asText } from "../../probe/as_text.ts";
import { answerText, objectOf } from "../../probe/http_answer.ts";
import { gatewayUrl, proxyUrl } from "../../probe/probe.ts";
import { verdictText } from "../../probe/verdict.ts";
import { PAIRING_ADVICE } from "../pairing.ts";
import { ANSWER_MS, type Outcome, type Scene, tokenPath } from "../scene.ts";
import {
  isUnitWell,
  type ProxySeen,
  type Snapshot,
  takeSnapshot,
  tunnelPortsWanted,
} from "../snapshot.ts";
import { shown } from "../text.ts";

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
}

/** A model may think for a while. */
const MODEL_MS = 120_000;
const MAX_TOKEN_BYTES = 4096;

export async function health(scene: Scene, ask: boolean, model: string): Promise<Outcome> {
  const snapshot = await takeSnapshot(scene);
  const checks = [
    ...(snapshot.proxy === null ? [] : [
      ...proxyChecks(snapshot.proxy),
      await proxyReady(scene),
    ]),
    ...(snapshot.gateway === null ? [] : [
      gatewayCheck(snapshot.gateway),
      await socketCheck(scene),
    ]),
    ...snapshot.units.map((unit): Check => {
      const { load, active, sub } = unit;
      const text = load === "loaded" ? `${active} (${sub})` : load;
      return { name: unit.unit, ok: isUnitWell(unit), text };
    }),
    ...tunnelChecks(snapshot),
    ...(ask && snapshot.proxy !== null ? [await modelCheck(scene, model)] : []),
  ];
  const failed = checks.filter(({ ok }) => !ok).length;
  const lines = checks.map(({ ok, name, text }) => `${ok ? "good  " : "FAILED"}  ${name}: ${text}`);
  const summary = failed === 0
    ? `${checks.length} checks, all good`
    : `${failed} of ${checks.length} checks failed; "openclaw-ctl doctor" looks for the cause`;
  return { ok: failed === 0, text: [...lines, summary, ""].join("\n"), json: { checks } };
}

function proxyChecks(proxy: ProxySeen): readonly Check[] {
  const { kind } = proxy.verdict;
  const models = proxy.untrustedModels;
  return [
    {
      name: "proxy",
      ok: kind === "ok" || kind === "degraded",
      text: verdictText(proxy.verdict),
    },
    {
      name: "proxy models",
      ok: models !== null && models.length > 0,
      text: models === null ? "it gives no list" : `${models.length} models`,
    },
  ];
}

async function proxyReady({ ask, settings }: Scene): Promise<Check> {
  const answer = await ask(`${proxyUrl(settings)}/readyz`, { timeoutMs: ANSWER_MS });
  const ok = answer.kind === "answer" && answer.status === 200;
  return {
    name: "proxy providers",
    ok,
    text: ok
      ? "at least one may be asked"
      : answer.kind === "answer" && answer.status === 503
      ? "every provider is left alone after failures"
      : answerText(answer),
  };
}

function gatewayCheck({ verdict }: NonNullable<Snapshot["gateway"]>): Check {
  return { name: "gateway", ok: verdict.kind === "ok", text: verdictText(verdict) };
}

/** The handshake that every client begins with: in the agent VM with the token, elsewhere without. */
async function socketCheck({ places, settings, shakeHands }: Scene): Promise<Check> {
  const name = "gateway handshake";
  let token: string | null;
  try {
    const text = settings.role === "agent"
      ? await ifPresent(readPrivate(tokenPath(places), MAX_TOKEN_BYTES))
      : undefined;
    token = text?.trim() ?? null;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { name, ok: false, text: error.message };
  }
  const result = await shakeHands(gatewayUrl(settings), token, ANSWER_MS);
  switch (result.kind) {
    case "accepted":
      return { name, ok: true, text: "the gateway takes the token of this VM" };
    case "failed":
      return { name, ok: false, text: result.text };
    case "refused":
      if (token === null && result.error === "device-identity-required") {
        return { name, ok: settings.role !== "agent", text: "it answers, and asks for a token" };
      }
      return {
        name,
        ok: false,
        text: result.error === null
          ? `refused: ${shown(result.untrustedText)}`
          : `${result.error}: ${PAIRING_ADVICE[result.error].means}`,
      };
    default:
      return result satisfies never;
  }
}

function tunnelChecks({ tunnels, settings }: Snapshot): readonly Check[] {
  if (tunnels === null) return [];
  return tunnelPortsWanted(settings).map((port) => {
    const found = tunnels.find((one) => one.port === port);
    const text = found === undefined ? "none runs" : `to ${found.vm}, ${found.mode}`;
    return { name: `tunnel of port ${port}`, ok: found !== undefined, text };
  });
}

/** The one check that costs something: a few tokens of one model. */
async function modelCheck({ ask, settings, nowMs }: Scene, model: string): Promise<Check> {
  const beganMs = nowMs();
  const answer = await ask(`${proxyUrl(settings)}/v1/chat/completions`, {
    method: "POST",
    timeoutMs: MODEL_MS,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model,
      max_tokens: 16,
      messages: [{ role: "user", content: "Reply with the word ok." }],
    }),
  });
  const seconds = ((nowMs() - beganMs) / 1000).toFixed(1);
  const body = objectOf(answer);
  const name = `model ${shown(model, 100)}`;
  if (answer.kind === "answer" && answer.status === 200 && Array.isArray(body?.["choices"])) {
    return { name, ok: true, text: `answers after ${seconds} s` };
  }
  const error = body?.["error"];
  const why = typeof error === "object" && error !== null && "message" in error
    ? `: ${shown(asText(error.message))}`
    : "";
  return { name, ok: false, text: answerText(answer) + why };
}
