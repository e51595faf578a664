// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertNotEquals } from "@std/assert";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import type { Judgement } from "../../../dom0/policy/judge.ts";
import { decisionFields, hashOfWords } from "../../../dom0/record/decision_fields.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";

function judged(
  recognised: Judgement["recognised"],
): Pick<Judgement, "recognised" | "plan" | "decision"> {
  const decision = { action: "allow", because: "50.policy:3", options: {} } as const;
  return { recognised, plan: null, decision };
}

Deno.test("each decision is recorded with operation, qubes, rule and the hash of what runs", () => {
  const recognised = recogniseNamed("vm.clone", ["vm=work", "new_vm=copy"]);
  const fields = decisionFields(judged(recognised), { mode: "argv", argv: ["something", "else"] });
  assertEquals(fields, {
    ...{ operation: "vm.clone", targets: ["work", "copy"], rule: "50.policy:3" },
    ran_sha256: hashOfWords([["qvm-clone", "work", "copy"]]),
  });
});

Deno.test("a script is dom0's, and its hash is the one sha256sum prints", () => {
  const { operation, targets, ran_sha256 } = decisionFields(
    judged(null),
    { mode: "script", script: utf8("true\n") },
  );
  assertEquals([operation, targets], ["shell", ["dom0"]]);
  assertEquals(ran_sha256, "a17fcf0a2f50e2d495e4f90ce263410edc183add6c62699a2facbccf60410f74");
});

Deno.test("words that are joined otherwise have another hash", () => {
  const hashes = [[["a", "b"]], [["a b"]], [["a"], ["b"]], [["a", "b", ""]], [["ab"]]].map(
    hashOfWords,
  );
  assertEquals(new Set(hashes).size, hashes.length);
  assertNotEquals(hashes[0], hashOfWords([]));
});
