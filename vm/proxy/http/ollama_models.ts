// SPDX-License-Identifier: GPL-2.0-or-later
/** What Ollama tells of itself and its models, told of the proxy's (docs.ollama.com/api). @module */

import { createBodyBudget } from "./body_budget.ts";
import { abilitiesOf } from "../config/abilities.ts";
import type { Config, Target } from "../config/config.ts";
import { modelNames, ownerOf, resolveModel } from "../route/models.ts";
import { readRequest } from "./read_request.ts";
import { faultReply, jsonReply, type ReplyTo } from "./reply.ts";
import { fault } from "../translate/fault.ts";

/** Of a request that only names a model, twice: a body may have half of a budget. */
const MAX_SHOW_BYTES = 2 * 64 * 1024;
/** Clients look for features that came with a version; this one has all that is served here. */
const OLLAMA_VERSION = "0.12.0";

/** GET /api/version and /api/tags, POST /api/show. @returns null for any other path */
export async function handleOllama(
  request: Request,
  pathname: string,
  to: ReplyTo,
  config: Config,
  startedS: number,
): Promise<Response | null> {
  const own = { ...to, api: "ollama" } as const;
  switch (`${request.method} ${pathname}`) {
    case "GET /api/version":
      return jsonReply({ version: OLLAMA_VERSION }, to);
    case "GET /api/tags":
      return jsonReply(
        { models: modelNames(config).map((name) => tag(name, config, startedS)) },
        to,
      );
    case "POST /api/show": {
      const hold = createBodyBudget(MAX_SHOW_BYTES).open("", true);
      const body = await readRequest(request, hold);
      if ("status" in body) return faultReply(body, own);
      const target = resolveModel(body.model, config)?.[0]?.[0];
      if (target === undefined) return faultReply(fault("not_found", "no such model"), own);
      const { details, modified_at } = tag(body.model, config, startedS);
      const capabilities = ["completion", ...ollamaWords(target)];
      return jsonReply({ details, modified_at, model_info: {}, capabilities, template: "" }, to);
    }
    default:
      return null;
  }
}

function ollamaWords(target: Target): string[] {
  const { can } = abilitiesOf(target);
  const words = { tools: "tools", images: "vision", thinking: "thinking" } as const;
  return (["tools", "images", "thinking"] as const).filter((one) => can.has(one))
    .map((one) => words[one]);
}

function tag(name: string, config: Config, startedS: number) {
  return {
    name,
    model: name,
    modified_at: new Date(startedS * 1000).toISOString(),
    size: 0,
    digest: "",
    details: {
      parent_model: "",
      format: "",
      family: ownerOf(name, config),
      families: [],
      parameter_size: "",
      quantization_level: "",
    },
  };
}
