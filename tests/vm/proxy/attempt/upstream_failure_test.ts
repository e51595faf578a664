// SPDX-License-Identifier: GPL-2.0-or-later
/** Why an upstream cannot be reached, told apart by what the runtime says of it. */

import { assertEquals } from "@std/assert";
import { failureOfError } from "../../../../vm/proxy/attempt/upstream_failure.ts";

const URL = "error sending request for url (https://models.example/v1/chat/completions)";

/** As Deno 2.9.6 says it. */
const REASONS: readonly (readonly [says: string, means: string])[] = [
  [
    "client error (Connect): tcp connect error: Connection refused (os error 111)",
    "connection refused",
  ],
  [
    "client error (Connect): dns error: failed to lookup address information: Name or service not known",
    "its name cannot be resolved (DNS)",
  ],
  [
    "client error (Connect): invalid peer certificate: UnknownIssuer",
    "its certificate is not trusted (TLS)",
  ],
  [
    "client error (Connect): received corrupt message of type InvalidContentType",
    "it does not speak TLS as it should",
  ],
  [
    "client error (Connect): tcp connect error: Connection timed out (os error 110)",
    "no answer from the network in time",
  ],
  [
    "client error (Connect): tcp connect error: Network is unreachable (os error 101)",
    "there is no way to it (network unreachable)",
  ],
  [
    "client error (SendRequest): connection closed before message completed",
    "the connection was cut",
  ],
  ["something new", "no connection"],
];

for (const [says, means] of REASONS) {
  Deno.test(`not reached: ${means}`, () => {
    const { signal } = new AbortController();
    for (
      const error of [
        new TypeError(`${URL}: ${says}`),
        new TypeError(URL, { cause: new Error(says) }),
      ]
    ) {
      const { fault, about } = failureOfError(error, signal, false);
      assertEquals(fault.message, `the provider cannot be reached: ${means}`);
      assertEquals(about.counts, true);
    }
  });
}

Deno.test("a client that left, and a provider that is late, are neither", () => {
  const gone = AbortSignal.abort();
  const error = new TypeError(`${URL}: operation was aborted`);
  assertEquals(failureOfError(error, gone, false).about.gone, true);
  const { signal } = new AbortController();
  const { fault } = failureOfError(error, signal, true);
  assertEquals(fault.message, "the provider did not begin in time");
});
