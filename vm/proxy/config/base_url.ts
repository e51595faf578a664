// SPDX-License-Identifier: GPL-2.0-or-later
/** The address of a provider's API, as a person writes it. @module */

import { BAD, type Read, text, then } from "../../settings/shape.ts";

/** @returns it without a slash at its end */
export const readBaseUrl: Read<string> = then(
  text(/^https?:\/\/[^\s,*?#\\'"`$;&|<>(){}]{1,300}$/, 'write "https://HOST/v1"'),
  (value, path, report) => {
    const url = URL.canParse(value) ? new URL(value) : null;
    if (url === null || url.username !== "" || url.password !== "") {
      report({
        path,
        text: "not a plain URL",
        fix: 'write "https://HOST/v1", without a key in it',
      });
      return BAD;
    }
    if (url.protocol === "http:" && !isLocal(url.hostname)) {
      report({
        path,
        text: "the key and every prompt would travel unencrypted",
        fix: `write https://; http:// only for loopback and addresses of the own network`,
      });
      return BAD;
    }
    const plain = value.replace(/\/+$/, "");
    const endpoint = ENDPOINT.exec(plain)?.[0];
    if (endpoint === undefined) return plain;
    report({
      path,
      text: `ends in the path of one endpoint, ${endpoint}`,
      fix: `leave that out: the proxy adds it ("${plain.slice(0, -endpoint.length)}")`,
    });
    return BAD;
  },
);

/** What the proxy puts behind a base URL itself. */
const ENDPOINT =
  /\/(chat\/completions|completions|messages|responses|embeddings|models|api\/(chat|generate))$/;

/** Loopback, and the addresses that Qubes gives its VMs or a LAN its machines. */
function isLocal(host: string): boolean {
  return host === "localhost" || host === "[::1]" ||
    /^(127|10)\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\./.test(host);
}
