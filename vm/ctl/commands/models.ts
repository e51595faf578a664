// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl models". @module */

import { UserError } from "../../../shared/cli/program.ts";
import { asText } from "../../probe/as_text.ts";
import { answerText, objectOf } from "../../probe/http_answer.ts";
import { proxyUrl } from "../../probe/probe.ts";
import { hasProxy } from "../../probe/units.ts";
import { ANSWER_MS, type Outcome, type Scene } from "../scene.ts";
import { modelIds } from "../snapshot.ts";
import { shown, table } from "../text.ts";

export async function models({ settings, ask }: Scene): Promise<Outcome> {
  if (!hasProxy(settings)) throw noProxy();
  const url = `${proxyUrl(settings)}/v1/models`;
  const answer = await ask(url, { timeoutMs: ANSWER_MS });
  const body = answer.kind === "answer" && answer.status === 200 ? objectOf(answer) : null;
  const ids = modelIds(body);
  if (ids === null) {
    const detail = answerText(answer);
    return { ok: false, text: `${url}: ${detail}\n`, json: { models: [], detail } };
  }
  const owners = new Map<string, string>();
  for (const one of body?.["data"] as readonly Record<string, unknown>[]) {
    if (typeof one?.["owned_by"] === "string") owners.set(asText(one["id"]), one["owned_by"]);
  }
  const list = ids.map((id) => ({ id, provider: owners.get(id) ?? null }));
  return {
    ok: true,
    text: list.length === 0
      ? "the proxy names no models; any provider/model may be asked for all the same\n"
      : table(list.map(({ id, provider }) => [shown(id), shown(provider ?? "", 40)])),
    json: { models: list },
  };
}

/** The message where a client has no proxy. */
export function noProxy(): UserError {
  return new UserError("this VM has no proxy: the agent VM's keys lie in a qube of their own", [
    "only the agent reaches the models; the dashboard is on the gateway's port here",
  ]);
}
