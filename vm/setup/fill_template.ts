// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A configuration from its template. A template is JSON; in its strings stand @HOME@,
 * @PROXY_PORT@, @GATEWAY_PORT@, @HOOKS_TOKEN@, @BASE_URL@ and @MODEL@. It is filled as JSON, never as text, so that no
 * value can end a string. A string that is nothing but a port becomes a number.
 *
 * @module
 */

/** Placeholder -> what stands there. Not every template needs every one. */
export interface TemplateValues {
  readonly HOME?: string;
  readonly PROXY_PORT?: number;
  readonly GATEWAY_PORT?: number;
  readonly HOOKS_TOKEN?: string;
  readonly BASE_URL?: string;
  readonly MODEL?: string;
}

const PLACEHOLDER = /@([A-Z][A-Z_]*)@/g;

/** @throws {Error} that names a placeholder for which there is no value */
export function fillTemplate(template: unknown, values: TemplateValues): unknown {
  const known = new Map<string, string | number>(Object.entries(values));
  const valueOf = (name: string): string | number => {
    const value = known.get(name);
    if (value === undefined) throw new Error(`the template's @${name}@ has no value`);
    return value;
  };
  const fill = (node: unknown): unknown => {
    if (typeof node === "string") {
      const whole = /^@([A-Z][A-Z_]*)@$/.exec(node)?.[1];
      if (whole !== undefined) return valueOf(whole);
      return node.replace(PLACEHOLDER, (_, name: string) => String(valueOf(name)));
    }
    if (Array.isArray(node)) return node.map(fill);
    if (typeof node !== "object" || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, fill(value)]));
  };
  return fill(template);
}

/** The file's text. @throws {Error} as fillTemplate(); {SyntaxError} if the template is no JSON */
export function filledTemplate(templateText: string, values: TemplateValues): string {
  return JSON.stringify(fillTemplate(JSON.parse(templateText), values), null, 2) + "\n";
}
