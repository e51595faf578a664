// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import {
  createQubeFacts,
  type FactsSource,
  type Inventory,
} from "../../../dom0/policy/qube_facts.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";

const WORK = parseVmName("work");
const GONE = parseVmName("gone");

function inventory(tags: ReadonlySet<string>): Inventory {
  return {
    types: new Map([["work", "AppVM"]]),
    tagged: new Map([...tags].map((tag) => [tag, new Set(tag === "ai" ? ["work"] : [])])),
  };
}

interface Fake extends FactsSource {
  now: string | null;
  readonly reads: string[];
  during: () => void;
  failing: boolean;
}

function fake(): Fake {
  const source: Fake = {
    now: "1",
    reads: [],
    during: () => {},
    failing: false,
    stamp: () => source.now,
    read(tags) {
      source.reads.push([...tags].join(" "));
      source.during();
      return source.failing
        ? Promise.reject(new Error("no qubesd"))
        : Promise.resolve(inventory(tags));
    },
  };
  return source;
}

Deno.test("facts are read once, and again when qubesd has saved something", async () => {
  const source = fake();
  const facts = createQubeFacts(source);
  const known = await facts(new Set(["ai"]));
  assertEquals([...known.tagsOf(WORK) ?? []], ["ai"]);
  assertEquals([known.typeOf(WORK), known.typeOf(GONE), known.tagsOf(GONE)?.size], [
    "AppVM",
    "",
    0,
  ]);
  await facts(new Set(["ai"]));
  await facts(new Set());
  assertEquals(source.reads, ["ai"]);
  source.now = "2";
  await facts(new Set(["ai"]));
  assertEquals(source.reads, ["ai", "ai"]);
});

Deno.test("a tag that nobody asked about before is asked for", async () => {
  const source = fake();
  const facts = createQubeFacts(source);
  await facts(new Set(["ai"]));
  await facts(new Set(["lab"]));
  await facts(new Set(["ai", "lab"]));
  assertEquals(source.reads, ["ai", "ai lab"]);
});

Deno.test("what changes while it is read is read again; what never rests is not known", async () => {
  const source = fake();
  const facts = createQubeFacts(source);
  source.during = () => {
    if (source.reads.length === 1) source.now = "2";
  };
  assertEquals((await facts(new Set())).typeOf(WORK), "AppVM");
  assertEquals(source.reads.length, 2);
  source.now = "3";
  let change = 3;
  source.during = () => source.now = String(++change);
  const known = await facts(new Set());
  assertEquals([known.typeOf(WORK), known.tagsOf(WORK), known.inventory], [null, null, null]);
});

Deno.test("what cannot be read, or cannot be told to have changed, is not known", async () => {
  const source = fake();
  const facts = createQubeFacts(source);
  source.failing = true;
  assertEquals((await facts(new Set())).inventory, null);
  source.failing = false;
  assertEquals((await facts(new Set())).typeOf(WORK), "AppVM", "a failure is not kept");
  source.now = null;
  assertEquals((await facts(new Set())).inventory, null);
});

Deno.test("many who ask at once are one reading", async () => {
  const source = fake();
  const facts = createQubeFacts(source);
  const all = await Promise.all([facts(new Set(["ai"])), facts(new Set(["ai"])), facts(new Set())]);
  assertEquals(all.map((known) => known.typeOf(WORK)), ["AppVM", "AppVM", "AppVM"]);
  assertEquals(source.reads, ["ai"]);
});
