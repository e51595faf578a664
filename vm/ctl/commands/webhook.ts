// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl webhook-test": POST /hooks/wake as a program outside would. @module */

import { UserError } from "../../../shared/cli/program.ts";
import { answerText, objectOf } from "../../probe/http_answer.ts";
import { gatewayUrl } from "../../probe/probe.ts";
import { readHooks } from "../openclaw_json.ts";
import { ANSWER_MS, type Outcome, type Scene } from "../scene.ts";
import { shown } from "../text.ts";

export const WEBHOOK_TEXT = "This is a test of the webhook; there is nothing to do.";

export async function webhookTest(
  { places, settings, ask }: Scene,
  mode: "now" | "next-heartbeat",
  text: string,
): Promise<Outcome> {
  if (settings.role !== "agent") {
    throw new UserError("the token of the webhooks lies in the agent VM, and this is not one", [
      'run "openclaw-ctl webhook-test" there',
    ]);
  }
  const { token, path } = await readHooks(places);
  const url = `${gatewayUrl(settings)}${path}/wake`;
  const answer = await ask(url, {
    method: "POST",
    timeoutMs: ANSWER_MS,
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ text, mode }),
  });
  const body = objectOf(answer);
  const ok = answer.kind === "answer" && answer.status === 200 && body?.["ok"] === true;
  const outcome = typeof body?.["eventOutcome"] === "string" ? shown(body["eventOutcome"], 40) : "";
  const status = answer.kind === "answer" ? answer.status : null;
  const why = ok ? `taken (${outcome || "ok"}), mode ${mode}` : answerText(answer) + advice(status);
  return { ok, text: `POST ${url}: ${why}\n`, json: { url, status, mode, outcome, detail: why } };
}

function advice(status: number | null): string {
  switch (status) {
    case 401:
      return '; the gateway runs with another hooks.token: "openclaw-ctl restart gateway"';
    case 404:
    case 405:
      return '; the gateway runs without webhooks: "openclaw-ctl restart gateway"';
    case 429:
      return "; after many wrong tokens it refuses for a minute";
    default:
      return "";
  }
}
