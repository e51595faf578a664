// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertThrows } from "@std/assert";
import { ParameterError } from "../../../dom0/operations/parameter.ts";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { checkPolicy } from "../../../dom0/policy/check_policy.ts";
import { decideOperation } from "../../../dom0/policy/decide_operation.ts";
import {
  grantFileName,
  grantText,
  parseGrant,
  parseScope,
} from "../../../dom0/policy/grant_file.ts";
import type { GrantLevel, Scope } from "../../../dom0/policy/grant_file.ts";
import { parsePolicy } from "../../../dom0/policy/parse_policy.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

const WORK = parseVmName("work");
const TYPES = new Map([["dom0", "AdminVM"], ["work", "AppVM"], ["ai-one", "AppVM"]]);
const KNOWN = {
  inventory: { types: TYPES, tagged: new Map([["ai", new Set(["ai-one"])]]) },
  tagsOf: (qube: string) => new Set(qube === "ai-one" ? ["ai"] : []),
  typeOf: () => "AppVM",
};

Deno.test("a grant reads as a person would have written it", () => {
  assertEquals(
    grantText(WORK, "manage", null),
    `# Written by: qvm-remote-dom0 authorize work --grant manage
# The first rule that matches counts; what none matches is denied. See qvm-remote-dom0(8).
# operation  source  target  action
@monitor     work    *       allow
@manage      work    *       allow
*            work    *       ask
`,
  );
  assertEquals(grantText(WORK, "ask", { tag: "ai" }).split("\n").slice(2), [
    "# operation  source  target   action",
    "@monitor     work    @tag:ai  allow",
    "*            work    @tag:ai  ask",
    "",
  ]);
});

/** What each grant makes of: reading, changing one in scope, changing one outside, the shell. */
const MEANS: readonly (readonly [GrantLevel, Scope, string])[] = [
  ["monitor", null, "allow deny deny deny"],
  ["ask", null, "allow ask ask ask"],
  ["manage", null, "allow allow allow ask"],
  ["full", null, "allow allow allow allow"],
  ["monitor", { tag: "ai" }, "allow deny deny deny"],
  ["ask", { tag: "ai" }, "allow ask deny deny"],
  ["manage", { tag: "ai" }, "allow allow deny deny"],
  ["full", { tag: "ai" }, "allow allow deny deny"],
];

for (const [grant, scope, means] of MEANS) {
  Deno.test(`--grant ${grant}${scope === null ? "" : " --scope @tag:ai"} means what it says`, () => {
    const rules = parsePolicy(new Map([[grantFileName(WORK), grantText(WORK, grant, scope)]]));
    const asked = [
      recogniseNamed("vm.list", []),
      recogniseNamed("vm.start", ["vm=ai-one"]),
      recogniseNamed("vm.start", ["vm=work"]),
      null,
    ];
    const decided = asked.map((one) =>
      decideOperation(WORK, one, { rules, known: KNOWN, nowMs: 0 }).decision.action
    );
    assertEquals(decided.join(" "), means);
    assertEquals(checkPolicy(rules, null), [], "nothing in it is odd");
  });
}

Deno.test("grants and scopes are parsed strictly", () => {
  assertEquals([parseGrant("full"), parseGrant("Full"), parseGrant("root")], ["full", null, null]);
  assertEquals(parseScope("@tag:ai"), { tag: "ai" });
  for (const word of ["ai", "@tag:", "@type:AppVM", "@tag:a b", "@tag:-x"]) {
    assertThrows(() => parseScope(word), ParameterError);
  }
});
