// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The settings of the original Cursor proxy, cursor-proxy.json and OPENCLAW_CURSOR_*, as the
 * proxy.json that says the same. What has no meaning here any more (retry_attempts,
 * max_tool_loop_iterations, log silence) is taken without a word: the file is not the user's fault.
 *
 * @module
 */

import { isObject, type Problem } from "../../settings/shape.ts";

/** Variables that are read, each with the key of cursor-proxy.json that it stands in for. */
export const CURSOR_VARIABLES: ReadonlyMap<string, string> = new Map([
  ["OPENCLAW_CURSOR_PORT", "port"],
  ["OPENCLAW_CURSOR_LOG_LEVEL", "log_level"],
  ["OPENCLAW_CURSOR_TOOL_MODE", "tool_mode"],
  ["OPENCLAW_CURSOR_WORKSPACE", "workspace"],
  ["OPENCLAW_CURSOR_TIMEOUT_MS", "timeout_ms"],
  ["OPENCLAW_CURSOR_DEFAULT_MODEL", "default_model"],
  ["OPENCLAW_CURSOR_ENABLE_THINKING", "enable_thinking"],
  ["OPENCLAW_CURSOR_LOG_SILENT", "log_silent"],
]);

const KNOWN = new Set([
  ...CURSOR_VARIABLES.values(),
  "retry_attempts",
  "max_tool_loop_iterations",
]);

/** @returns JSON for parseConfig(), or what is wrong, by the names of the old file */
export function fromOriginal(
  json: unknown,
  environment: (name: string) => string | undefined,
  home: string,
): { readonly proxyJson: unknown } | readonly Problem[] {
  if (!isObject(json)) return [problem("", "is no object", "write { … }")];
  const problems: Problem[] = Object.keys(json).filter((key) => !KNOWN.has(key)).map((key) =>
    problem(key, "no such setting", `remove it; the old file has: ${[...KNOWN].join(", ")}`)
  );
  const get = (key: string): unknown => {
    const [variable = ""] = [...CURSOR_VARIABLES].find(([, name]) => name === key) ?? [];
    return environment(variable) ?? json[key];
  };
  const whole = (key: string, min: number, max: number): number | undefined => {
    const value = get(key);
    if (value === undefined) return undefined;
    const number = /^\d{1,9}$/.test(String(value)) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    problems.push(problem(key, "not right", `write a whole number from ${min} to ${max}`));
    return undefined;
  };
  const word = (key: string, words: Readonly<Record<string, string>>): string | undefined => {
    const value = get(key);
    if (value === undefined) return undefined;
    if (Object.hasOwn(words, String(value))) return words[String(value)];
    problems.push(problem(key, "not right", `write one of: ${Object.keys(words).join(", ")}`));
    return undefined;
  };
  const model = get("default_model");
  const workspace = get("workspace");
  const timeoutMs = whole("timeout_ms", 5000, 3_600_000);
  const truth = word("enable_thinking", { true: "yes", false: "no", "1": "yes", "0": "no" });
  const proxyJson = withoutUndefined({
    port: whole("port", 1, 65535),
    logLevel: word("log_level", { debug: "debug", info: "info", warn: "error", error: "error" }),
    providers: {
      cursor: {
        kind: "cursor",
        models: ["auto"],
        cursor: withoutUndefined({
          timeoutSeconds: timeoutMs === undefined ? undefined : Math.ceil(timeoutMs / 1000),
          toolMode: word("tool_mode", { openclaw: "openclaw", "proxy-exec": "agent" }),
          thinking: truth === undefined ? undefined : truth === "yes",
          workspace: typeof workspace === "string" ? workspace.replace(/^~/, home) : undefined,
        }),
      },
    },
    models: { auto: `cursor/${typeof model === "string" && model !== "" ? model : "auto"}` },
  });
  return problems.length > 0 ? problems : { proxyJson };
}

function problem(path: string, text: string, fix: string): Problem {
  return { path, text, fix };
}

function withoutUndefined(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
