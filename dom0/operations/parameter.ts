// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The kinds of parameters that operations take: for each, what may be written, as a parser and as
 * a JSON Schema for whoever asks from a VM. A value that does not parse is refused, never repaired.
 *
 * No value may begin with "-", so no tool can take it for an option.
 *
 * @module
 */

import { type Dom0Path, parseDom0Path } from "../../shared/protocol/dom0_path.ts";
import { MAX_PATH_BYTES } from "../../shared/protocol/limits.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

/** The part of JSON Schema (2020-12) that the table uses. */
export interface JsonSchema {
  readonly type?: "string" | "integer" | "boolean" | "array" | "object" | readonly string[];
  readonly description?: string;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
}

export type Value = string | number | boolean;

/** A kind of parameter. Plain data, except for the parser. */
export interface ParameterKind {
  readonly schema: JsonSchema;
  /** @throws {ParameterError} if it is not such a value */
  readonly parse: (untrustedWord: string) => Value;
  /** Whether a value is a path of dom0, which rules are about. */
  readonly isPath?: boolean;
  /** The qubes that a value names, for a kind whose values name qubes. @throws {ParameterError} */
  readonly qubesIn?: (value: Value) => readonly Qube[];
}

/** A qube by its name, or dom0. */
export type Qube = VmName | null;

/** What an operation is done to: a qube, dom0 itself, or a file or folder of it. */
export type Target = Qube | Dom0Path;

export function isPath(target: Target): target is Dom0Path {
  return target !== null && target.startsWith("/"); // no qube is called that
}

export interface Parameter extends ParameterKind {
  readonly summary: string;
  readonly optional: boolean;
}

/** A value that is not of its kind. The message names it, in printable form. */
export class ParameterError extends Error {
  override readonly name = "ParameterError";
}

/** The longest argument for a tool; far below the kernel's 128 KiB a word. */
const MAX_TEXT_CHARS = 4096;

function matching(what: string, maxChars: number, pattern: string): ParameterKind {
  const grammar = new RegExp(pattern, "u");
  return {
    schema: { type: "string", pattern, maxLength: maxChars },
    parse(untrustedWord) {
      if (untrustedWord.length > maxChars || !grammar.test(untrustedWord)) {
        throw new ParameterError(`${printable(untrustedWord)} is not ${what}`);
      }
      return untrustedWord;
    },
  };
}

function oneOf(what: string, ...words: readonly string[]): ParameterKind {
  return {
    schema: { type: "string", enum: words },
    parse(untrustedWord) {
      if (words.includes(untrustedWord)) return untrustedWord;
      throw new ParameterError(
        `${printable(untrustedWord)} is not ${what}: ${words.join(", ")}`,
      );
    },
  };
}

/** Decimal, one spelling for each number. */
function integer(what: string, minimum: number, maximum: number): ParameterKind {
  return {
    schema: { type: "integer", minimum, maximum },
    parse(untrustedWord) {
      const number = Number(untrustedWord);
      if (String(number) !== untrustedWord || !Number.isSafeInteger(number)) {
        throw new ParameterError(`${printable(untrustedWord)} is not ${what}`);
      }
      if (number < minimum || number > maximum) {
        throw new ParameterError(`${number} is not ${what}: ${minimum} to ${maximum}`);
      }
      return number;
    },
  };
}

const QUBE: ParameterKind = {
  schema: { type: "string", pattern: "^[A-Za-z][A-Za-z0-9_.-]*$", maxLength: 31 },
  parse(untrustedWord) {
    if (untrustedWord === "dom0") {
      throw new ParameterError("this cannot be done to dom0");
    }
    return parseQube(untrustedWord);
  },
  qubesIn: (value) => [parseQube(String(value))],
};

/** @throws {ParameterError} */
export function parseQube(untrustedWord: string): VmName {
  try {
    return parseVmName(untrustedWord);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ParameterError(`${printable(untrustedWord)} is not a qube name`);
  }
}

/** Several qubes: "work,vault". Each once, none of them dom0. */
const QUBES: ParameterKind = {
  schema: {
    type: "string",
    pattern: "^[A-Za-z][A-Za-z0-9_.-]*(,[A-Za-z][A-Za-z0-9_.-]*)*$",
    maxLength: MAX_TEXT_CHARS,
  },
  parse(untrustedWord) {
    const names = untrustedWord.slice(0, MAX_TEXT_CHARS + 1).split(",");
    for (const name of names) QUBE.parse(name);
    if (untrustedWord.length > MAX_TEXT_CHARS || new Set(names).size < names.length) {
      throw new ParameterError(`${printable(untrustedWord)} is not a list of qubes, each once`);
    }
    return untrustedWord;
  },
  qubesIn: (value) => String(value).split(",").map(parseQube),
};

/** BACKEND:PORT, where Qubes 4.3 also takes BACKEND:PORT:DEVICE-ID. */
const DEVICE: ParameterKind = {
  ...matching(
    "a device (BACKEND:PORT)",
    256,
    "^[A-Za-z][A-Za-z0-9_.-]{0,30}:[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_*?][A-Za-z0-9_:.*?-]*)?$",
  ),
  qubesIn(value) {
    const [backend = ""] = String(value).split(":", 1);
    return [backend === "dom0" ? null : parseQube(backend)];
  },
};

/** Where no files are, but the kernel's own. */
const NO_FILES = ["/proc", "/sys", "/dev"];

const DOM0_PATH_PATTERN = "(/[^/\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}\\ufffd]+)+";

const DOM0_PATH: ParameterKind = {
  schema: {
    type: "string",
    pattern: `^${DOM0_PATH_PATTERN}$`,
    maxLength: MAX_PATH_BYTES,
  },
  isPath: true,
  parse(untrustedWord) {
    const path = parsePath(untrustedWord);
    if (NO_FILES.some((place) => path === place || path.startsWith(`${place}/`))) {
      throw new ParameterError(`${printable(untrustedWord)} is no place for files`);
    }
    return path;
  },
};

/** Where a person keeps files, and nothing is run or read by itself because of where it lies. */
const PLACES_FOR_FILES = ["/home", "/srv", "/mnt", "/media", "/run/media", "/tmp", "/var/tmp"];

/** A new file of a person's, with bytes that a qube chose. */
const INCOMING_PATH: ParameterKind = {
  ...DOM0_PATH,
  parse(untrustedWord) {
    const path = parsePath(untrustedWord);
    if (!PLACES_FOR_FILES.some((place) => path.startsWith(`${place}/`))) {
      const places = PLACES_FOR_FILES.join(", ");
      throw new ParameterError(`${printable(untrustedWord)} is not below one of: ${places}`);
    }
    if (path.includes("/.")) {
      throw new ParameterError(
        `${printable(untrustedWord)} is hidden: programs read such files by themselves`,
      );
    }
    return path;
  },
};

/** Spelled as one of dom0's, so that it can be shown and asked for again, or from "~" on: the home of the
 * qube's usual user. What it leads to, the qube says. */
const QUBE_PATH: ParameterKind = {
  schema: {
    type: "string",
    pattern: `^(~|~?${DOM0_PATH_PATTERN})$`,
    maxLength: MAX_PATH_BYTES,
  },
  parse(untrustedWord) {
    if (untrustedWord === "~") return untrustedWord;
    try {
      parseDom0Path(untrustedWord.replace(/^~/, ""));
      return untrustedWord;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new ParameterError(
        `${printable(untrustedWord)} is not a path in a qube: from "/" or "~" on, without "..", ` +
          '"." or "//"',
      );
    }
  },
};

/** @throws {ParameterError} */
export function parsePath(untrustedWord: string): Dom0Path {
  try {
    return parseDom0Path(untrustedWord);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ParameterError(
      `${printable(untrustedWord)} is not a path of dom0: absolute, without "..", "." or "//"`,
    );
  }
}

/** The rules are those of qubes-core-admin (qubes/vm/__init__.py, utils.py, firewall.py,
 * device_protocol.py, api/admin.py), but for values that begin with "-". */
export const KINDS = {
  qube: QUBE,
  qubes: QUBES,
  /** A property: qvm-prefs also takes "-" for "_", but that would be a second spelling. */
  property: matching("a property", 64, "^[a-z][a-z0-9_]*$"),
  /** Anything but control characters; may be empty. */
  text: matching("a value", MAX_TEXT_CHARS, "^(?!-)[^\\p{Cc}\\p{Zl}\\p{Zp}]*$"),
  feature: matching("a feature", 128, "^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
  tag: matching("a tag", 128, "^[A-Za-z0-9_][A-Za-z0-9_-]*$"),
  service: matching("a service", 128, "^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
  label: matching("a label", 64, "^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
  pool: matching("a pool", 64, "^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
  volume: oneOf("a volume of a qube", "root", "private", "volatile", "kernel"),
  revision: matching("a revision", 128, "^[A-Za-z0-9][A-Za-z0-9:_.-]*$"),
  qubeClass: oneOf("a class of qube", "AppVM", "StandaloneVM", "TemplateVM", "DispVM"),
  template: matching("a template", 128, "^[A-Za-z0-9][A-Za-z0-9_.:+-]*$"),
  repository: matching("a repository", 64, "^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
  deviceClass: matching("a class of device", 32, "^[a-z][a-z0-9_-]*$"),
  device: DEVICE,
  ruleAction: oneOf("what a rule does", "accept", "drop"),
  protocol: oneOf("a protocol", "tcp", "udp", "icmp"),
  host: matching("an address, a network or a host name", 253, "^[a-z0-9:][a-z0-9:._/-]*$"),
  ports: matching("a port or a range of ports", 11, "^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$"),
  icmpType: integer("an ICMP type", 0, 255),
  specialTarget: oneOf("a special target", "dns"),
  /** Seconds since 1970, or +seconds from now. */
  expiry: matching("a time in seconds", 12, "^(\\+[1-9][0-9]{0,9}|[1-9][0-9]{0,10})$"),
  comment: matching("a comment", 128, "^[A-Za-z0-9:;,./_\\[\\] ][A-Za-z0-9:;,./_\\[\\] -]*$"),
  volumeBytes: integer("a size in bytes", 1, 2 ** 50),
  agentPart: oneOf(
    "a part of an agent VM",
    "all",
    "proxy",
    "gateway",
    "watchdog",
    "tunnel",
  ),
  ruleNumber: integer("the number of a rule", 0, 9999),
  lines: integer("a number of lines", 1, 1000),
  unit: oneOf(
    "a unit whose journal may be read",
    "qubesd",
    "qubes-qrexec-policy-daemon",
    "qvm-remote-dom0",
    "qubes-global-admin-web",
    "qubes-claw-watchdog",
    "openclaw-tunnels",
    "libvirtd",
    "xenstored",
    "systemd-logind",
  ),
  since: matching("a time as @ and seconds since 1970", 12, "^@[0-9]{1,11}$"),
  /** A file of qrexec policy by its name, without a folder. */
  policyFile: matching("a policy file", 128, "^[a-z0-9_][a-z0-9_.-]*\\.policy$"),
  /** In dom0, absolute, without "..", so that what a person is shown is the real place. */
  path: matching(
    "an absolute path",
    1024,
    "^(/(?!\\.\\.?(/|$))[A-Za-z0-9_.,@%+=-]+)+/?$",
  ),
  dom0Path: DOM0_PATH,
  incomingPath: INCOMING_PATH,
  qubePath: QUBE_PATH,
  fileMode: matching("permissions, octal, such as 0644", 4, "^0?[0-7]{3}$"),
  fileTime: integer("a time in seconds since 1970", 0, 2 ** 40),
  fileBytes: integer("a number of bytes", 0, Number.MAX_SAFE_INTEGER),
  user: matching("a user", 32, "^[a-z_][a-z0-9_-]*$"),
  /** A command line for a qube's shell: not examined, because the qube decides what it means. */
  command: matching("a command", MAX_TEXT_CHARS, "^(?!-)[^\\p{Cc}\\p{Zl}\\p{Zp}]+$"),
  rpcService: matching(
    "a qrexec service",
    128,
    "^[A-Za-z][A-Za-z0-9_.-]*(\\+[A-Za-z0-9_.+-]*)?$",
  ),
  /** A word of the command line that is either there or not. */
  flag: {
    schema: { type: "boolean" },
    parse(untrustedWord) {
      if (untrustedWord === "true") return true;
      if (untrustedWord === "false") return false;
      throw new ParameterError(`${printable(untrustedWord)} is neither true nor false`);
    },
  },
} as const satisfies Readonly<Record<string, ParameterKind>>;

export type KindName = keyof typeof KINDS;

export function required(kind: KindName, summary: string): Parameter {
  return { ...KINDS[kind], summary, optional: false };
}

export function optional(kind: KindName, summary: string): Parameter {
  return { ...KINDS[kind], summary, optional: true };
}
