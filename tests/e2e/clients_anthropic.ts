// SPDX-License-Identifier: GPL-2.0-or-later
/** Anthropic's own client in both of its majors, and what the tests of it share. @module */

import Anthropic from "@anthropic-ai/sdk";
import OldAnthropic from "anthropic-sdk-old";
import { CLIENT_KEY, type ClientsWorld } from "./clients_world.ts";

/** What the tests use of it is the same in both. */
export const MAJORS = [
  ["1.x", Anthropic],
  ["0.x", OldAnthropic as unknown as typeof Anthropic],
] as const;

/** @returns a client that asks once, with its key and no other */
export const clientsOf =
  (Client: typeof Anthropic) => ({ proxy }: ClientsWorld, apiKey = CLIENT_KEY): Anthropic =>
    new Client({ baseURL: proxy.url, apiKey, maxRetries: 0 });

export const HELLO = [{ role: "user" as const, content: "Say hello" }];
export const TEXTS = ["Hello, ", "Kraków! ", "🙂"];

export const ask = (model: string) => ({ model, max_tokens: 1000, messages: HELLO });

export function textOf(content: readonly Anthropic.ContentBlock[]): string {
  return content.flatMap((block) => block.type === "text" ? [block.text] : []).join("");
}

/** The error that a plain question ends with. */
export async function failureOf(client: Anthropic, model: string): Promise<unknown> {
  return await client.messages.create(ask(model)).catch((error: unknown) => error);
}
