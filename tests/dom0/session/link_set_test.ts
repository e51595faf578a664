// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import type { StoredKey } from "../../../dom0/settings/key_store.ts";
import { createLinkSet, type LinkSet } from "../../../dom0/session/link_set.ts";
import type { Stopping } from "../../../dom0/judge/request_desk.ts";
import type { VmLink } from "../../../dom0/session/vm_link.ts";
import { KEY, LAB, OTHER_KEY_TEXT, until, WORK } from "../fixture.ts";

const FIRST: StoredKey = { key: KEY, acceptsV1: false };
const WITH_V1: StoredKey = { key: KEY, acceptsV1: true };
const SECOND: StoredKey = { key: await parseAuthKey(OTHER_KEY_TEXT), acceptsV1: false };

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

interface Scene {
  readonly set: LinkSet;
  /** What happened, in order: "open work", "stop revoked work", "close work", "audit revoked". */
  readonly log: string[];
  /** The commands of a VM have ended and it knows; without it a stop goes on. */
  settle(vm: VmName): void;
  /** What the operator has set now, and a turn for it to be taken up. */
  keys(...keys: readonly (readonly [VmName, StoredKey])[]): Promise<void>;
}

function createScene(): Scene {
  const log: string[] = [];
  const pending = new Map<VmName, () => void>();
  const open = (vm: VmName, key: StoredKey): VmLink => {
    log.push(`open ${vm}`);
    return {
      ...{ vm, key, state: () => "connected", lastEnd: () => null, wake() {} },
      firstSession: () => Promise.resolve(),
      stop() {
        log.push(`close ${vm}`);
        return Promise.resolve();
      },
    };
  };
  const stop = (reason: string, vm?: VmName): Stopping => {
    log.push(`stop ${reason} ${vm}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    if (vm !== undefined) pending.set(vm, resolve);
    return { ended: promise, told: promise };
  };
  const audit = {
    record: (event: string) => void log.push(`audit ${event}`),
    sync: () => Promise.resolve(),
    close() {},
  };
  const set = createLinkSet({ open, desk: { stop }, audit, onChange() {} });
  return {
    ...{ set, log },
    settle: (vm) => pending.get(vm)?.(),
    async keys(...keys) {
      set.follow(new Map(keys));
      await turn();
    },
  };
}

Deno.test("links: one for each key, opened at once; the same keys again change nothing", async () => {
  const { set, log, keys } = createScene();
  await keys([WORK, FIRST], [LAB, SECOND]);
  await keys([WORK, { ...FIRST }], [LAB, SECOND]);
  assertEquals(log, ["open work", "open lab"]);
  assertEquals(set.all().map(({ vm }) => vm), [WORK, LAB]);
});

Deno.test("links: a revoked VM is told before its link closes, and is shown until then", async () => {
  const { set, log, keys, settle } = createScene();
  await keys([WORK, FIRST]);
  await keys();
  assertEquals(log, ["open work", "audit revoked", "stop revoked work"]);
  assertEquals(set.all().length, 1);
  settle(WORK);
  await until("it is closed", () => log.at(-1) === "close work");
  await until("it is gone", () => set.all().length === 0);
});

Deno.test("links: what ends for one VM keeps no other VM waiting", async () => {
  const { log, keys } = createScene();
  await keys([WORK, FIRST]);
  await keys([LAB, FIRST]);
  assertEquals(log.slice(1), ["audit revoked", "stop revoked work", "open lab"]);
});

for (
  const [name, next, event] of [
    ["the same right again", FIRST, "revoked"],
    ["another key", SECOND, "revoked"],
    ["a wider right", WITH_V1, "revoked"],
  ] as const
) {
  Deno.test(`links: ${name}, given while the old one ends, begins when it is over`, async () => {
    const { set, log, keys, settle } = createScene();
    await keys([WORK, FIRST]);
    await keys();
    await keys([WORK, next]);
    assertEquals(log.slice(1), [`audit ${event}`, "stop revoked work"]);
    settle(WORK);
    await until("it is open", () => log.at(-1) === "open work");
    assertEquals(log.slice(3), ["close work", "open work"]);
    assertEquals(set.all().map(({ key }) => key), [next]);
  });
}

Deno.test("links: a right given and taken while the old one ends opens nothing", async () => {
  const { set, log, keys, settle } = createScene();
  await keys([WORK, FIRST]);
  await keys();
  await keys([WORK, SECOND]);
  await keys();
  settle(WORK);
  await until("it is gone", () => set.all().length === 0);
  assertEquals(log.slice(3), ["close work"]);
});

Deno.test("links: another key ends the link of the first, and says so", async () => {
  const { log, keys, settle } = createScene();
  await keys([WORK, FIRST]);
  await keys([WORK, SECOND]);
  settle(WORK);
  await until("it is open", () => log.at(-1) === "open work");
  assertEquals(log.slice(1), ["audit key-changed", "stop revoked work", "close work", "open work"]);
});

Deno.test("links: none is opened after the end", async () => {
  const { set, log, keys, settle } = createScene();
  await keys([WORK, FIRST]);
  await keys([WORK, SECOND]);
  await set.stop();
  settle(WORK);
  await until("it is gone", () => set.all().length === 0);
  assertEquals(log.filter((line) => line === "open work").length, 1);
});

Deno.test("links: a full disk of the audit ends no revocation", async () => {
  const { error } = console;
  console.error = () => {};
  const links: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const set = createLinkSet({
    open: (vm, key) => ({
      ...{ vm, key, state: () => "connected", lastEnd: () => null, wake() {} },
      firstSession: () => promise,
      stop: () => Promise.resolve(void links.push("closed")),
    }),
    desk: { stop: () => ({ ended: promise, told: promise }) },
    audit: {
      record() {
        throw new Error("no space left on device");
      },
      sync: () => Promise.resolve(),
      close() {},
    },
    onChange() {},
  });
  set.follow(new Map([[WORK, FIRST]]));
  set.follow(new Map());
  resolve();
  await until("it is closed", () => links.length === 1);
  console.error = error;
});
