// SPDX-License-Identifier: GPL-2.0-or-later
/** What setup-vm --verify says first, and what it never advises. */

import { assertEquals } from "@std/assert";
import { type Finding, findingsFor } from "../../../shared/setup/findings.ts";
import { nextStep } from "../../../vm/setup/report.ts";

const finding = (what: string, isSo: boolean, ...next: string[]): Finding => ({
  ...{ what, why: "it is wanted", isSo, next },
});

Deno.test("the one next step comes first: what is in the way, what is missing, what is wrong, what is left", () => {
  const problem = finding("no npm", false, "sudo apt install npm");
  const missing = finding("/home/user/.openclaw/proxy.json", false);
  const wrong = finding("proxy.json is good", false, "openclaw-proxy check-config");
  const left = ["write your key into ~/.openclaw/proxy.env: OPENAI_API_KEY=KEY"];
  const good = finding("x", true);
  assertEquals(
    nextStep([problem], [missing], [wrong], left),
    "Next: no npm: sudo apt install npm",
  );
  assertEquals(
    nextStep([], [missing, missing, good], [wrong], left),
    "Next: run setup-vm with the same words, without --verify: it makes the 2 that are missing",
  );
  assertEquals(
    nextStep([], [good], [wrong], left),
    "Next: proxy.json is good: openclaw-proxy check-config",
  );
  assertEquals(nextStep([], [good], [good], left), `Next: ${left[0]}`);
});

Deno.test("a command without what is written to it is no advice: it would leave an empty file", async () => {
  const steps = [
    { commands: [{ argv: ["tee", "--", "/etc/x"], input: "text\n" }] },
    { commands: [{ argv: ["systemctl", "enable", "x"] }] },
  ] as const;
  const wanted = steps.map((step) => ({ why: "it is wanted", step }));
  const found = await findingsFor(wanted, ({ step }) => Promise.resolve(step), () => "it");
  assertEquals(found.map(({ next }) => next), [[], ["systemctl enable x"]]);
});
