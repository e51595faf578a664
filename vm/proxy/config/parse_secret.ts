// SPDX-License-Identifier: GPL-2.0-or-later
/** Where a secret lies, as proxy.json says it: never the secret itself. @module */

import {
  BAD,
  isObject,
  listOf,
  optional,
  type Read,
  record,
  required,
  text,
  then,
} from "../../settings/shape.ts";
import type { SecretRef } from "./config.ts";

export const PLAIN = /^[\x20-\x7e]{1,1000}$/;

const secretText = text(
  /^\$[A-Z][A-Z0-9_]{0,99}$/,
  'a key never stands here: write { "env": "NAME" } and the key in the environment file',
);

/** { "env": "NAME" }, { "command": ["…"] } or { "qrexec": "service", "target": "vm" }; "$NAME". */
export const secretRef: Read<SecretRef> = (value, path, report) => {
  if (!isObject(value)) {
    const name = secretText(value, path, report);
    return name === BAD ? BAD : { from: "env", name: name.slice(1) };
  }
  if (Object.hasOwn(value, "command")) {
    return then(
      record({ command: required(listOf(text(PLAIN, "write plain text"), 1, 50)) }),
      ({ command }, at, tell): SecretRef | typeof BAD => {
        if (/^\/[\w.+\/-]+$/.test(command[0] ?? "")) return { from: "command", argv: command };
        tell({ path: `${at}.command[0]`, text: "not an absolute path", fix: "write /usr/bin/…" });
        return BAD;
      },
    )(value, path, report);
  }
  if (Object.hasOwn(value, "qrexec")) {
    return then(
      record({
        qrexec: required(text(/^[\w.-]{1,64}(\+[\w.-]{1,64})?$/, "write SERVICE or SERVICE+ARG")),
        target: optional(text(/^[@\w:.-]{1,80}$/, 'write a VM or "@default"'), "@default"),
      }),
      ({ qrexec, target }): SecretRef => ({ from: "qrexec", service: qrexec, target }),
    )(value, path, report);
  }
  return then(
    record({
      env: required(
        text(/^[A-Z][A-Z0-9_]{0,99}$/, "write a name in upper case, as in the environment file"),
      ),
    }),
    ({ env }): SecretRef => ({ from: "env", name: env }),
  )(value, path, report);
};
