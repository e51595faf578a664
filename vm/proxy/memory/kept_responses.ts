// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Responses that a client may refer to by "previous_response_id", and items by "item_reference". OpenAI
 * stores its own for a month; here the latest of each client are kept, in memory only, so that a
 * conversation can continue with another provider.
 *
 * @module
 */

import type { Answer, Exchange } from "../exchange.ts";
import { isWhole } from "../bytes.ts";
import { watchLines } from "../stream/line_watch.ts";
import type { Body } from "../translate/fit/fit_fields.ts";
import { parsedObject } from "../translate/json_node.ts";
import { isObject } from "../../settings/shape.ts";
import type { Kept, KeptResponse } from "../translate/references.ts";

export interface KeptResponses {
  /** What this client may refer to; never another client's responses. */
  of(client: string): Kept;
  /** @returns a function that stores the response; undefined: the client forbids it, or it is too large */
  keeper(exchange: Exchange): Keep | undefined;
  /** Returns the same answer, and stores its response when it is complete. */
  watch(body: Answer["body"], maker: string, exchange: Exchange): Answer["body"];
}

/** @param maker the provider that also stores it; "": none does */
export type Keep = (id: string, maker: string, output: readonly unknown[]) => void;

/** For one turn, request and answer together. Turns with large images are not kept. */
const MAX_TURN_CHARS = 512 * 1024;
/** For all turns of one client; and the number of clients. */
const MAX_CLIENT_CHARS = 4 * 1024 * 1024;
const MAX_CLIENTS = 8;

interface Turn {
  readonly maker: string;
  readonly previous: string | null;
  /** JSON of the items of this turn alone. */
  readonly input: string;
  readonly output: string;
}

interface Client {
  readonly turns: Map<string, Turn>;
  /** Id of an item -> its response. */
  readonly items: Map<string, string>;
  chars: number;
}

export function createKeptResponses(): KeptResponses {
  const clients = new Map<string, Client>();
  const clientOf = (name: string): Client => {
    const found = clients.get(name) ?? { turns: new Map(), items: new Map(), chars: 0 };
    clients.delete(name);
    clients.set(name, found); // least recently used first
    const [oldest] = clients.keys();
    if (clients.size > MAX_CLIENTS && oldest !== undefined) clients.delete(oldest);
    return found;
  };
  const kept: KeptResponses = {
    of: (name) => {
      const client = clients.get(name);
      return {
        response: (id) => client === undefined ? undefined : conversationOf(client, id),
        item: (id) => client === undefined ? undefined : itemOf(client, id),
      };
    },
    keeper({ api, client, body }) {
      if (api !== "responses" || body.cutOuts > 0 || body.length > MAX_TURN_CHARS) return undefined;
      const { store, input, previous_response_id } = body.untrustedBody;
      if (store === false) return undefined;
      const asked = JSON.stringify(
        typeof input === "string" ? [{ role: "user", content: input }] : input,
      );
      const previous = typeof previous_response_id === "string" ? previous_response_id : null;
      return (id, maker, output) => {
        const turn = { maker, previous, input: asked, output: JSON.stringify(output) };
        if (turn.output.length <= MAX_TURN_CHARS) keep(clientOf(client), id, turn, output);
      };
    },
    watch(body, maker, exchange) {
      const keeper = kept.keeper(exchange);
      if (keeper === undefined) return body;
      const see = (json: unknown): void => {
        if (!isObject(json) || typeof json["id"] !== "string") return;
        if (Array.isArray(json["output"])) keeper(json["id"], maker, json["output"]);
      };
      if (isWhole(body)) {
        see(parsedObject(new TextDecoder().decode(body)));
        return body;
      }
      return watchLines(body, (lines) => {
        if (!lines.includes('"response.completed"')) return;
        const [, data = ""] = /^data: ?(\{"type":\s*"response\.completed".*)$/m.exec(lines) ?? [];
        see(parsedObject(data)?.["response"]);
      });
    },
  };
  return kept;
}

function keep(client: Client, id: string, turn: Turn, output: readonly unknown[]): void {
  client.turns.set(id, turn);
  client.chars += turn.input.length + turn.output.length;
  for (const item of output) {
    if (isObject(item) && typeof item["id"] === "string") client.items.set(item["id"], id);
  }
  for (const [oldest, { input, output: old }] of client.turns) {
    if (client.chars <= MAX_CLIENT_CHARS) return;
    client.turns.delete(oldest);
    client.chars -= input.length + old.length;
    for (const item of itemsIn(old)) {
      if (typeof item["id"] === "string") client.items.delete(item["id"]);
    }
  }
}

const itemsIn = (json: string): Body[] => {
  const items: unknown = JSON.parse(json);
  return Array.isArray(items) ? items.filter(isObject) : [];
};

/** @returns undefined if one of its turns is no longer stored */
function conversationOf(client: Client, id: string): KeptResponse | undefined {
  const turns: Turn[] = [];
  for (let at: string | null = id; at !== null;) {
    const turn: Turn | undefined = client.turns.get(at);
    if (turn === undefined || turns.includes(turn)) return undefined;
    turns.unshift(turn);
    at = turn.previous;
  }
  const items = turns.flatMap(({ input, output }) => [...itemsIn(input), ...itemsIn(output)]);
  return { maker: turns.at(-1)?.maker ?? "", items };
}

function itemOf(client: Client, id: string): { maker: string; item: Body } | undefined {
  const turn = client.turns.get(client.items.get(id) ?? "");
  const item = turn && itemsIn(turn.output).find((one) => one["id"] === id);
  return turn && item && { maker: turn.maker, item };
}
