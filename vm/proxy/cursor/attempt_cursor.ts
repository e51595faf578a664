// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One request as one run of cursor-agent. timeout(1) runs it: it makes a process group of its own,
 * ends all of it after the time, and on SIGTERM; Deno itself signals a group only for a program
 * that may signal everything. The prompt goes through stdin, since an argument list is public.
 *
 * @module
 */

import { createLineCutter } from "../../../shared/io/lines.ts";
import { within } from "../../../shared/io/timing.ts";
import type { AttemptContext } from "../attempt/upstream_call.ts";
import { formatOf } from "../attempt/client_format.ts";
import type { Target } from "../config/config.ts";
import type { Memory } from "../memory/memory.ts";
import { eventsAnswer, type EventSource, notServed } from "../attempt/events_answer.ts";
import { type Answer, type Exchange, UpstreamFailure } from "../exchange.ts";
import { translateRequest } from "../attempt/attempt_translated.ts";
import { fault } from "../translate/fault.ts";
import { createCursorEvents } from "./events.ts";
import { cursorPrompt } from "./prompt.ts";
import { createToolText } from "./tool_text.ts";

const MAX_STDERR_CHARS = 8192;
const MAX_LINE_CHARS = 16 * 1024 * 1024;
/** Between SIGTERM and SIGKILL. */
const KILL_AFTER_S = 2;
/** What it left running may hold its stderr after it. */
const LEFT_OPEN_MS = 2_000;

/** @throws {UpstreamFailure} */
export async function attemptCursor(
  exchange: Exchange,
  target: Target,
  context: AttemptContext,
  { kept }: Memory,
): Promise<Answer> {
  const format = formatOf(exchange);
  if (format === undefined) throw notServed(exchange, target.provider.name);
  const { cursor } = target.provider;
  if (!/^[A-Za-z0-9][\w.:@+-]{0,99}$/.test(target.model)) { // it becomes an argument
    throw new UpstreamFailure(fault("not_found", "no such model of Cursor's"));
  }
  const conversation = translateRequest(() =>
    format.readRequest(exchange, kept.of(exchange.client))
  );
  const foreignTools = cursor.toolMode === "openclaw";
  const child = start(target, context.secret);
  const stop = (): void => {
    try {
      child.kill("SIGTERM");
    } catch {
      // it has ended
    }
  };
  exchange.gone.addEventListener("abort", stop, { once: true });
  if (exchange.gone.aborted) stop();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, context.timeoutMs);
  void feed(child, cursorPrompt(conversation, foreignTools));
  const names = new Set(foreignTools ? conversation.tools.map(({ name }) => name) : []);
  let calls = 0;
  const tools = createToolText(names, () => `call${exchange.requestId.slice(0, 12)}${calls++}`);
  const events = createCursorEvents(target.model, cursor.thinking, tools);
  const source = sourceOf(child, events, stop);
  try {
    const { includeUsage } = conversation;
    const keep = kept.keeper(exchange);
    const asked = { tools: conversation.tools, includeUsage, maker: target.provider.name, keep };
    const answer = await eventsAnswer(exchange, format, asked, source);
    return { ...answer, changes: conversation.changes };
  } catch (error) {
    stop();
    if (exchange.gone.aborted) {
      throw new UpstreamFailure(fault("timeout", "the client left"), { gone: true });
    }
    if (!late) throw error;
    throw new UpstreamFailure(fault("timeout", "cursor-agent did not begin in time"), {
      counts: true,
    });
  } finally {
    clearTimeout(timer);
  }
}

function start(target: Target, secret: string | null): Deno.ChildProcess {
  const { cursor } = target.provider;
  const home = Deno.env.get("HOME") ?? "/";
  // "ask" leaves the program none of its own tools that change anything.
  const mode = cursor.toolMode === "openclaw" ? ["--mode", "ask"] : ["--force"];
  try {
    return new Deno.Command("timeout", {
      args: [
        `--kill-after=${KILL_AFTER_S}`,
        String(cursor.timeoutSeconds),
        cursor.program,
        "--print",
        "--output-format",
        "stream-json",
        "--stream-partial-output",
        "--trust",
        "--model",
        target.model,
        ...mode,
      ],
      cwd: cursor.workspace ?? ownFolder(home),
      clearEnv: true,
      env: {
        HOME: home,
        PATH: `${home}/.local/bin:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`,
        ...(secret === null ? {} : { CURSOR_API_KEY: secret }),
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch {
    throw new UpstreamFailure(
      fault("not_found", "cursor-agent cannot be started; run openclaw-proxy check-config"),
    );
  }
}

/** Where it starts it takes rules and tool servers from: not from a folder others can write. */
function ownFolder(home: string): string {
  const path = `${home}/.openclaw/proxy-cursor`;
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

async function feed(child: Deno.ChildProcess, prompt: string): Promise<void> {
  try {
    await ReadableStream.from([new TextEncoder().encode(prompt)]).pipeTo(child.stdin);
  } catch {
    // it ended before it had read everything; how it ended says why
  }
}

function sourceOf(
  child: Deno.ChildProcess,
  events: ReturnType<typeof createCursorEvents>,
  stop: () => void,
): EventSource {
  const stderr = keptStderr(child);
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  const cutter = createLineCutter(MAX_LINE_CHARS);
  let over = false;
  return {
    async next() {
      if (over) return null;
      const { value, done } = await reader.read();
      if (!done && cutter.rest().length < MAX_LINE_CHARS) {
        const lines = cutter.push(decoder.decode(value, { stream: true }));
        const found = lines.flatMap((line) => events.line(line));
        if (found.some(({ kind }) => kind === "end" || kind === "error")) {
          over = true; // the program may take its time to end, and the client need not wait
          stop();
        }
        return found;
      }
      over = true;
      stop();
      const { code } = await child.status;
      await within(LEFT_OPEN_MS, stderr.ended);
      // timeout(1) says 127 when there is no such program.
      return [
        ...events.line(cutter.rest()),
        ...events.exit(code, code === 127 ? "unknown model: no cursor-agent" : stderr.soFar()),
      ];
    },
    cancel() {
      over = true;
      stop();
      reader.cancel().catch(() => {});
    },
  };
}

function keptStderr(child: Deno.ChildProcess) {
  const decoder = new TextDecoder();
  let kept = "";
  const read = async (): Promise<void> => {
    for await (const chunk of child.stderr) {
      if (kept.length < MAX_STDERR_CHARS) kept += decoder.decode(chunk, { stream: true });
    }
  };
  return { ended: read(), soFar: () => kept };
}
