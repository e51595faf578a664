// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A request to a model, independent of any provider's format: every format is read into this and
 * written from this, so that each has one reader and one writer.
 *
 *     chat completions --+                     +--> chat completions
 *     messages ----------+                     |
 *     responses ---------+--> Conversation ----+
 *     Ollama's chat -----+                     +--> messages
 *
 * @module
 */

/** Marks the end of a cacheable prefix; passed on unchanged. */
export type CacheControl = Readonly<Record<string, unknown>>;

export interface TextPart {
  readonly kind: "text";
  readonly text: string;
  readonly cache?: CacheControl;
}

export interface ImagePart {
  readonly kind: "image";
  readonly source:
    | { readonly kind: "base64"; readonly mediaType: string; readonly data: string }
    | { readonly kind: "url"; readonly url: string };
  /** "auto", "low" or "high"; only OpenAI has it. */
  readonly detail?: string;
  readonly cache?: CacheControl;
}

/** A PDF or a text file; not every provider accepts PDFs. */
export interface DocumentPart {
  readonly kind: "document";
  readonly source:
    | { readonly kind: "base64"; readonly mediaType: string; readonly data: string }
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "url"; readonly url: string };
  /** "" if it has none. */
  readonly name: string;
  readonly cache?: CacheControl;
}

export interface ToolCallPart {
  readonly kind: "tool_call";
  readonly id: string;
  readonly name: string;
  /** JSON text of an object; "" stands for no arguments. */
  readonly arguments: string;
  /** Thoughts signed by the provider that made the call (Gemini's extra_content). */
  readonly extra?: SignedExtra;
}

export interface SignedExtra {
  /** "" while an answer is being read. */
  readonly maker: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ThinkingPart {
  readonly kind: "thinking";
  readonly text: string;
  /** "" if the provider signs none; Anthropic takes back only what it signed. */
  readonly signature: string;
  /** The provider that made it, if its seal survived in the client's history. */
  readonly maker?: string;
}

/** Thinking that only its provider can read. */
export interface RedactedPart {
  readonly kind: "redacted";
  readonly data: string;
  readonly maker?: string;
}

export type UserPart = TextPart | ImagePart | DocumentPart;
export type AssistantPart = TextPart | ToolCallPart | ThinkingPart | RedactedPart;

export type Turn =
  | { readonly role: "system"; readonly parts: readonly TextPart[] }
  | { readonly role: "user"; readonly parts: readonly UserPart[] }
  | { readonly role: "assistant"; readonly parts: readonly AssistantPart[] }
  | ToolTurn;

/** The result of one tool call. */
export interface ToolTurn {
  readonly role: "tool";
  readonly callId: string;
  readonly parts: readonly UserPart[];
  readonly isError: boolean;
}

export interface Tool {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly strict?: boolean;
  readonly cache?: CacheControl;
  /** How the client declared it, if not as a plain function; its calls are written that way. */
  readonly form?: ToolForm;
}

/** What only the responses API has: kinds of tools, and names in a namespace. */
export interface ToolForm {
  /** A custom tool is called with one text. */
  readonly kind: "function" | "custom" | "local_shell";
  /** "" if it is in none. */
  readonly namespace: string;
  /** Without the namespace. */
  readonly name: string;
}

export type ToolChoice =
  | {
    readonly kind: "auto" | "none" | "required";
    /** Only these tools, by name. */
    readonly among?: readonly string[];
  }
  | { readonly kind: "named"; readonly name: string };

/** How much to think, as the client put it: a word or a number. */
export type Thinking =
  | { readonly kind: "effort"; readonly effort: string }
  | { readonly kind: "budget"; readonly tokens: number }
  | { readonly kind: "adaptive"; readonly effort?: string }
  | { readonly kind: "off" };

export type ResponseFormat =
  | { readonly kind: "json_object" }
  | {
    readonly kind: "json_schema";
    readonly name: string;
    readonly schema: Readonly<Record<string, unknown>>;
    readonly strict?: boolean;
  };

export interface Conversation {
  readonly origin: "chat" | "messages" | "responses" | "ollama";
  readonly model: string;
  readonly turns: readonly Turn[];
  readonly tools: readonly Tool[];
  readonly toolChoice?: ToolChoice;
  /** False: one tool call at a time. */
  readonly parallelToolCalls?: boolean;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly stop: readonly string[];
  readonly thinking?: Thinking;
  readonly format?: ResponseFormat;
  readonly userId?: string;
  readonly stream: boolean;
  /** The client of a chat stream wants the chunk with the usage. */
  readonly includeUsage: boolean;
  /** Fields of the OpenAI APIs with no other meaning here ("seed"); written to chat as they are. */
  readonly extras: Readonly<Record<string, unknown>>;
  /** What reading left out or changed, for the log: names of fields, no content. */
  readonly changes: readonly string[];
}

/** A request body to send. */
export interface Written {
  readonly body: Record<string, unknown>;
  /** What was left out or changed on the way from the client, for the log; no content. */
  readonly changes: readonly string[];
}
