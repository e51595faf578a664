// SPDX-License-Identifier: GPL-2.0-or-later
// The npm build of @std carries no types. These are the functions in use, by the names that
// deno.json maps (TypeScript matches the import as it is written, not as it is mapped), and
// nothing more: reaching for another one is a compile error until it is added.

declare module "@std/assert" {
  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertThrows<E extends Error>(
    run: () => unknown,
    // deno-lint-ignore no-explicit-any
    errorClass?: new (...args: any[]) => E,
    messageIncludes?: string,
  ): E;
  export function assertRejects<E extends Error>(
    run: () => PromiseLike<unknown>,
    // deno-lint-ignore no-explicit-any
    errorClass?: new (...args: any[]) => E,
    messageIncludes?: string,
  ): Promise<E>;
}

declare module "@std/async/delay" {
  /** Rejects with the signal's reason, when it fires; nothing is left behind. */
  export function delay(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

declare module "@std/crypto/timing-safe-equal" {
  /** @throws {TypeError} they differ in length */
  export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean;
}

declare module "@std/path/posix/basename" {
  export function basename(path: string): string;
}

declare module "@std/path/posix/dirname" {
  export function dirname(path: string): string;
}

declare module "@std/yaml/parse" {
  /** One document. @throws {SyntaxError} it is no YAML, or a key comes twice */
  export function parse(
    text: string,
    options: { readonly schema: "core" | "failsafe" | "json" },
  ): unknown;
}

declare module "@std/html/entities" {
  export function escape(text: string): string;
}

declare module "@std/http/cookie" {
  export function getCookies(headers: Headers): Record<string, string>;
  export function setCookie(headers: Headers, cookie: {
    readonly name: string;
    readonly value: string;
    readonly path: string;
    readonly httpOnly: boolean;
    readonly sameSite: "Strict";
    readonly maxAge?: number;
  }): void;
}

declare module "@std/http/etag" {
  export function eTag(content: string): Promise<string>;
  export function ifNoneMatch(value: string | null, etag: string): boolean;
}

declare module "@std/http/status" {
  export const STATUS_TEXT: Readonly<Record<number, string>>;
}
