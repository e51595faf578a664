// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The attacks of a hostile VM on the stream, as a table: what it sends, and the one word with
 * which dom0 must refuse it. Whatever they carry would leave a trace if it ran.
 *
 * @module
 */

import { type AuthKey, parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { type Bytes, concat, toHex, uint32, utf8 } from "../../shared/protocol/bytes.ts";
import { MAX_BODY_BYTES, MAX_REQUEST_AGE_MS } from "../../shared/protocol/limits.ts";
import { encodeFromVm } from "../../shared/protocol/message.ts";
import { verifyOutcome } from "../../shared/protocol/outcome.ts";
import type { RefusalReason, Violation } from "../../shared/protocol/refusal.ts";
import { parseRequestId, type RequestId } from "../../shared/protocol/request_id.ts";
import { v1Token } from "../../shared/protocol/v1.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import {
  rawFrame,
  rawV1,
  replaceText,
  scriptFields,
  sealScript,
  type Wishes,
} from "./attack_request.ts";
import type { HostileSession } from "./hostile_vm.ts";

/** What an attack has at hand. */
export interface Scene {
  readonly vm: VmName;
  readonly key: AuthKey;
  /** Another VM, and its key, as if it had been stolen. */
  readonly other: { readonly vm: VmName; readonly key: AuthKey };
  /** The command that must not run. */
  readonly script: string;
  /** A command that may run, and must not run twice. */
  readonly once: string;
  /** A new session, before hello. */
  session(): Promise<HostileSession>;
}

export interface Attack {
  readonly name: string;
  readonly expect:
    | { readonly event: "refused"; readonly reason: RefusalReason }
    | { readonly event: "violation"; readonly violation: Violation };
  play(scene: Scene): Promise<void>;
}

/** Outcome of one request: the refusal must be signed, and name the reason. */
async function expectRefusal(
  scene: Scene,
  session: HostileSession,
  seq: number,
  reason: RefusalReason,
): Promise<void> {
  const { mac, outcome } = await session.next("outcome", (message) => message.seq === seq);
  if (outcome.kind !== "refused" || outcome.reason !== reason || outcome.exitCode !== 126) {
    throw new Error(`outcome ${outcome.kind} ${outcome.reason} ${outcome.exitCode}`);
  }
  if (!await verifyOutcome(scene.key, scene.vm, outcome, toHex(mac))) throw new Error("not signed");
  await session.say({ kind: "ack", seq });
}

/** Sends one request file and gets the refusal. */
function refused(
  reason: RefusalReason,
  name: string,
  file: (scene: Scene) => Bytes | Promise<Bytes>,
): Attack {
  return {
    name,
    expect: { event: "refused", reason },
    async play(scene) {
      const session = await scene.session();
      await session.greet();
      let seq = 1;
      if (reason === "bad-mac") await askHonestly(scene, session, seq++);
      await session.say({ kind: "request", seq, envelope: await file(scene) });
      await expectRefusal(scene, session, seq, reason);
      session.close();
    },
  };
}

/** After five badly signed requests in a row a VM is not listened to. */
async function askHonestly(scene: Scene, session: HostileSession, seq: number): Promise<void> {
  const envelope = await sealScript(scene.vm, scene.key, ":");
  await session.say({ kind: "request", seq, envelope });
  const { outcome } = await session.next("outcome", (message) => message.seq === seq);
  if (outcome.kind !== "done") throw new Error(`outcome ${outcome.kind} ${outcome.reason}`);
  await session.say({ kind: "ack", seq });
}

/** A well-sealed request that is changed afterwards, or has unusual fields. */
async function sealed(scene: Scene, wishes: Wishes = {}, key = scene.key): Promise<Bytes> {
  return await sealScript(scene.vm, key, scene.script, wishes);
}

const digits = (n: number): string => "0".repeat(n);

const BAD_MACS: readonly Attack[] = [
  refused(
    "bad-mac",
    "no key: a MAC of zeroes",
    async (scene) => replaceText(await sealed(scene), /mac [0-9a-f]{64}/, `mac ${digits(64)}`),
  ),
  refused(
    "bad-mac",
    "a wrong key",
    async (scene) => await sealed(scene, {}, await parseAuthKey("1".repeat(64))),
  ),
  refused("bad-mac", "another VM's key", async (scene) => await sealed(scene, {}, scene.other.key)),
  refused(
    "bad-mac",
    "another VM's request",
    async ({ other, script }) => await sealScript(other.vm, other.key, script),
  ),
  refused(
    "wrong-vm",
    "another VM's name under its own key",
    async (scene) => await sealed(scene, { vm: scene.other.vm }),
  ),
  refused(
    "bad-mac",
    "a changed body",
    async (scene) => replaceText(await sealed(scene), "echo ran", "echo RAN"),
  ),
  refused(
    "bad-mac",
    "a changed timeout",
    async (scene) => replaceText(await sealed(scene), "timeout 60000", "timeout 60001"),
  ),
  refused(
    "bad-mac",
    "a changed mode",
    async (scene) => replaceText(await sealed(scene), "mode script", "mode argv"),
  ),
  refused(
    "bad-mac",
    "a changed id",
    async (scene) => replaceText(await sealed(scene), "-4242-", "-4243-"),
  ),
  refused(
    "bad-mac",
    "a changed name",
    async (scene) => replaceText(await sealed(scene), `vm ${scene.vm}`, `vm ${scene.other.vm}`),
  ),
  refused(
    "bad-mac",
    "a changed nonce",
    async (scene) => replaceText(await sealed(scene), /nonce [0-9a-f]{32}/, `nonce ${digits(32)}`),
  ),
  refused("bad-mac", "a stale request dated anew", async (scene) => {
    const old = await sealed(scene, { issuedAtMs: Date.now() - 2 * MAX_REQUEST_AGE_MS });
    return replaceText(old, /issued [0-9]+/, `issued ${Date.now()}`);
  }),
  refused("bad-mac", "a truncated body, its length mended", async (scene) => {
    const { body } = scriptFields(scene.vm, scene.script);
    const file = await sealed(scene);
    return replaceText(
      file.slice(0, file.length - 1),
      `body ${body.length}`,
      `body ${body.length - 1}`,
    );
  }),
];

const BAD_DATES: readonly Attack[] = [
  refused(
    "stale",
    "a stale request",
    async (scene) => await sealed(scene, { issuedAtMs: Date.now() - MAX_REQUEST_AGE_MS - 1_000 }),
  ),
  refused("stale", "a request of 1970", async (scene) => await sealed(scene, { issuedAtMs: 0 })),
  refused(
    "future",
    "a request of the future",
    async (scene) => await sealed(scene, { issuedAtMs: Date.now() + 90_000 }),
  ),
  refused(
    "future",
    "a request of the end of time",
    async (scene) => await sealed(scene, { issuedAtMs: Number.MAX_SAFE_INTEGER }),
  ),
];

const BAD_BODIES: readonly Attack[] = [
  refused(
    "bad-body",
    "a NUL in a script",
    async (scene) => await sealed(scene, { body: utf8(`${scene.script}\0`) }),
  ),
  refused("bad-body", "an empty script", async (scene) => await sealed(scene, { body: utf8("") })),
  refused(
    "bad-body",
    "words without an end",
    async (scene) => await sealed(scene, { mode: "argv", body: utf8("touch\0/tmp/never") }),
  ),
  refused(
    "bad-body",
    "no program",
    async (scene) => await sealed(scene, { mode: "argv", body: utf8("\0touch\0") }),
  ),
  refused(
    "bad-body",
    "words that are no UTF-8",
    async (scene) =>
      await sealed(scene, { mode: "argv", body: new Uint8Array([0x74, 0xff, 0xfe, 0x00]) }),
  ),
];

const V1_NOT_ACCEPTED: readonly Attack[] = ["good", "bad"].map((token) => ({
  name: `protocol 1 with a ${token} token, not accepted`,
  expect: { event: "refused", reason: "v1-not-accepted" },
  async play(scene) {
    const { id } = scriptFields(scene.vm, "");
    const session = await scene.session();
    await session.greet();
    const hex = token === "good" ? await v1Token(scene.key, id) : digits(64);
    await session.send(rawV1(1, id, hex, scene.script));
    await expectRefusal(scene, session, 1, "v1-not-accepted");
    session.close();
  },
}));

/** Runs `once`, as it may, then sends `again` as the same id: never a second run. */
function replayed(
  name: string,
  where: "same session" | "next session" | "while it runs",
  again: (scene: Scene, id: RequestId, first: Bytes) => Bytes | Promise<Bytes>,
): Attack {
  return {
    name: `replay, ${name}, ${where}`,
    expect: { event: "refused", reason: "replay" },
    async play(scene) {
      const runs = where === "while it runs";
      const fields = scriptFields(scene.vm, scene.once + (runs ? "sleep 2\n" : ""));
      const first = await sealScript(scene.vm, scene.key, "", fields);
      let session = await scene.session();
      await session.greet();
      await session.say({ kind: "request", seq: 1, envelope: first });
      if (runs) await session.next("accepted");
      else {
        await session.next("outcome");
        await session.say({ kind: "ack", seq: 1 });
        await session.next("credit"); // the ack was read
      }
      let seq = 2;
      if (where === "next session") {
        session.close();
        session = await scene.session();
        await session.greet();
        seq = 1;
      }
      const envelope = await again(scene, fields.id, first);
      await session.say({ kind: "request", seq, envelope });
      await expectRefusal(scene, session, seq, "replay");
      session.close();
    },
  };
}

const REPLAYS: readonly Attack[] = (["same session", "next session", "while it runs"] as const)
  .flatMap((where) => [
    replayed("the same content", where, (_scene, _id, first) => first),
    replayed("new content, well signed", where, (scene, id) => sealed(scene, { id })),
  ]);

/** Sends bytes after hello (or instead of it) and is thrown out. */
function breaks(
  violation: Violation,
  name: string,
  bytes: (scene: Scene) => Bytes | Promise<Bytes>,
  hello: "after hello" | "instead of hello" = "after hello",
): Attack {
  return {
    name,
    expect: { event: "violation", violation },
    async play(scene) {
      const session = await scene.session();
      if (hello === "after hello") await session.greet();
      else await session.next("hello");
      await session.send(await bytes(scene));
      await session.ended;
    },
  };
}

/** A request whose id was replaced by something that would be a file name elsewhere. */
function hostileId(shown: string, id: string, violation: Violation, inV1 = violation): Attack[] {
  return [
    breaks(violation, `an id with ${shown}`, async (scene) => {
      const changed = replaceText(await sealed(scene), /^(qvm-remote 2\nid )[^\n]+/, `$1${id}`);
      return rawFrame(0x82, concat([uint32(1), changed]));
    }),
    breaks(inV1, `an id of protocol 1 with ${shown}`, async (scene) => {
      const token = await v1Token(scene.key, parseRequestId("20261122-091500-4242-a1b2c3d4"));
      return rawV1(1, id, token, scene.script);
    }),
  ];
}

const GOOD_ID = "20261122-091500-4242-a1b2c3d4";

const BAD_IDS: readonly Attack[] = [
  ...hostileId('"/"', "20261122/091500-4242-a1b2c3d4", "bad-id"),
  ...hostileId('"../"', "../../../etc/cron.d/x", "bad-id"),
  ...hostileId('".."', "..", "bad-id"),
  ...hostileId("a newline", `${GOOD_ID}\nvm dom0`, "bad-envelope", "bad-id"),
  ...hostileId("a newline at its end", `${GOOD_ID}\n`, "bad-envelope", "bad-id"),
  ...hostileId("ESC", "\x1b]0;owned\x07\x1b[2J", "bad-id"),
  ...hostileId("CR", `${GOOD_ID}\rAUTH-OK vm=dom0`, "bad-id"),
  ...hostileId("NUL", `${GOOD_ID}\0`, "bad-id"),
  ...hostileId("C1 controls", `${GOOD_ID}\x9b\x9d`, "bad-id"),
  // 300 do not fit the length of protocol 1: it says 44, and the token begins in the id.
  ...hostileId("300 characters", "2".repeat(300), "bad-envelope", "bad-id"),
  ...hostileId("a date that does not exist", "20260230-091500-4242-a1b2c3d4", "bad-id"),
  ...hostileId("capitals", "20261122-091500-4242-A1B2C3D4", "bad-id"),
  breaks("bad-id", "a ping's id in protocol 2", async (scene) => {
    const id = "ping-1771425022123456789-1234";
    const changed = replaceText(await sealed(scene), /^(qvm-remote 2\nid )[^\n]+/, `$1${id}`);
    return rawFrame(0x82, concat([uint32(1), changed]));
  }),
];

/** A signed request with one part of its header spelled otherwise. */
function header(violation: Violation, name: string, from: string | RegExp, to: string): Attack {
  return breaks(violation, name, async (scene) => {
    const changed = replaceText(await sealed(scene), from, to);
    return rawFrame(0x82, concat([uint32(1), changed]));
  });
}

const BAD_HEADERS: readonly Attack[] = [
  header("bad-name", "a VM's name that is a path", /vm [^\n]+/, "vm ../lab"),
  header("bad-name", "dom0 as a VM's name", /vm [^\n]+/, "vm dom0"),
  header("bad-argument", "no time at all", "timeout 60000", "timeout 0"),
  header("bad-argument", "more than a day", "timeout 60000", "timeout 86400001"),
  header("bad-argument", "a number in a second spelling", "timeout 60000", "timeout 060000"),
  header("bad-envelope", "a negative number", "timeout 60000", "timeout -1"),
  header("bad-envelope", "a third mode", "mode script", "mode root"),
  header("bad-envelope", "a flag", "flags -", "flags x"),
  header("bad-envelope", "a line twice", "flags -\n", "flags -\nflags -\n"),
  header("bad-envelope", "an ESC in a line", "flags -", "flags \x1b[31m"),
  header("bad-envelope", "another version's envelope", "qvm-remote 2\n", "qvm-remote 3\n"),
  header("bad-envelope", "a body longer than it says", /body [0-9]+/, "body 1"),
  header("bad-argument", "a body of 400 MB, it says", /body [0-9]+/, "body 419430400"),
  breaks(
    "bad-envelope",
    "a truncated body",
    async (scene) => rawFrame(0x82, concat([uint32(1), (await sealed(scene)).subarray(0, -1)])),
  ),
  breaks("bad-envelope", "no request at all", () => rawFrame(0x82, uint32(1))),
];

const MIB = new Uint8Array(1024 * 1024);

/** Says how much comes, and sends it until it is thrown out. */
function floods(name: string, type: number, totalBytes: number): Attack {
  return {
    name,
    expect: { event: "violation", violation: "too-long" },
    async play(scene) {
      const session = await scene.session();
      await session.greet();
      await session.send(rawFrame(type, uint32(1), Math.min(totalBytes, 0xffff_ffff)));
      for (let sent = 0; sent < totalBytes; sent += MIB.length) {
        if (!await session.send(MIB)) break;
      }
      await session.ended;
    },
  };
}

const BAD_FRAMES: readonly Attack[] = [
  breaks("bad-frame", "a frame of no bytes", () => new Uint8Array(5)),
  breaks("unknown-type", "type 0", () => rawFrame(0, new Uint8Array(4))),
  breaks("unknown-type", "type 255", () => rawFrame(255, new Uint8Array(4))),
  breaks("unknown-type", "a message of dom0", () => rawFrame(0x02, new Uint8Array(2))),
  breaks("unknown-type", "an answer to no question", () => rawFrame(0x90, utf8(digits(64)))),
  breaks(
    "bad-frame",
    "a hello too short",
    () => rawFrame(0x81, new Uint8Array(1)),
    "instead of hello",
  ),
  breaks(
    "bad-frame",
    "a hello too long",
    () => rawFrame(0x81, new Uint8Array(3)),
    "instead of hello",
  ),
  breaks("bad-frame", "an ack with a rest", () => rawFrame(0x86, new Uint8Array(5))),
  breaks("too-long", "an oversized pong", () => rawFrame(0x87, new Uint8Array(129))),
  floods("a request of 400 MB", 0x82, 400 * MIB.length),
  floods("a request of protocol 1 of 400 MB", 0x83, 400 * MIB.length),
  floods("a hello of 4 GB", 0x81, 64 * MIB.length),
  breaks("too-long", "a body of one byte too much", async (scene) => {
    const body = new Uint8Array(MAX_BODY_BYTES + 1).fill(0x20);
    const file = await sealScript(scene.vm, scene.key, "", { body });
    return rawFrame(0x82, concat([uint32(1), file]));
  }),
];

const say = encodeFromVm;

const OUT_OF_ORDER: readonly Attack[] = [
  breaks(
    "unexpected",
    "a request before hello",
    async (scene) => say({ kind: "request", seq: 1, envelope: await sealed(scene) }),
    "instead of hello",
  ),
  breaks("bad-version", "version 1", () => say({ kind: "hello", version: 1 }), "instead of hello"),
  breaks("bad-version", "version 3", () => say({ kind: "hello", version: 3 }), "instead of hello"),
  breaks("unexpected", "a second hello", () => say({ kind: "hello", version: 2 })),
  breaks(
    "unexpected",
    "capabilities before hello",
    () => say({ kind: "capabilities", words: ["ends"] }),
    "instead of hello",
  ),
  breaks("unexpected", "capabilities again", () => say({ kind: "capabilities", words: ["ends"] })),
  breaks("unexpected", "pong 0 after capabilities", () => say({ kind: "pong", token: 0 })),
  breaks("bad-argument", "a capability in capitals", () => rawFrame(0x88, utf8("ENDS"))),
  breaks("too-long", "nine capabilities", () => rawFrame(0x88, utf8("a b c d e f g h i"))),
  ...[0, 2, 0xffff_ffff].map((seq) =>
    breaks(
      "unexpected",
      `request ${seq} first`,
      async (scene) => say({ kind: "request", seq, envelope: await sealed(scene) }),
    )
  ),
  breaks("unexpected", "cancel of nothing", () => say({ kind: "cancel", seq: 1 })),
  breaks("unexpected", "window of nothing", () => say({ kind: "window", seq: 1, bytes: 1 })),
  breaks("unexpected", "ack of nothing", () => say({ kind: "ack", seq: 1 })),
  breaks("unexpected", "pong to no ping", () => say({ kind: "pong", token: 1 })),
  afterOutput("window of 0 bytes", { kind: "window", seq: 1, bytes: 0 }),
  afterOutput("window of more than was sent", { kind: "window", seq: 1, bytes: 3 }),
  afterOutput("window of 4 GB", { kind: "window", seq: 1, bytes: 0xffff_ffff }),
  afterOutput("ack before the outcome", { kind: "ack", seq: 1 }),
  afterOutput("a second cancel", { kind: "cancel", seq: 1 }, { kind: "cancel", seq: 1 }),
  {
    name: "a request without credit",
    expect: { event: "violation", violation: "no-credit" },
    async play(scene) {
      const session = await scene.session();
      const credit = await session.greet();
      for (let seq = 1; seq <= credit; seq++) {
        const envelope = await sealScript(scene.vm, scene.key, "true\n");
        await session.say({ kind: "request", seq, envelope });
      }
      await session.say({ kind: "request", seq: credit + 1, envelope: await sealed(scene) });
      await session.ended;
    },
  },
];

/** Lets a command print two bytes and go on, then sends something that does not fit. */
function afterOutput(name: string, ...messages: readonly Parameters<typeof say>[0][]): Attack {
  return {
    name,
    expect: { event: "violation", violation: "unexpected" },
    async play(scene) {
      const session = await scene.session();
      await session.greet();
      const envelope = await sealScript(scene.vm, scene.key, "echo x; sleep 1; echo y\n");
      await session.say({ kind: "request", seq: 1, envelope });
      await session.next("output");
      for (const message of messages) await session.say(message);
      await session.ended;
    },
  };
}

/** What costs the VM its budget of refusals: in a VM of their own. */
export const REFUSED_BY_DATE_OR_REPLAY: readonly Attack[] = [...BAD_DATES, ...REPLAYS];
export const REFUSED_BY_CONTENT: readonly Attack[] = [
  ...BAD_MACS,
  ...BAD_BODIES,
  ...V1_NOT_ACCEPTED,
];
export const VIOLATIONS: readonly Attack[] = [
  ...BAD_IDS,
  ...BAD_HEADERS,
  ...BAD_FRAMES,
  ...OUT_OF_ORDER,
];

/** Whether the key is right or not: each refusal is a line in the audit. */
export const TOO_MANY_REFUSALS: readonly Attack[] = [
  floodOfRefusals("requests with a bad MAC", (scene) => sealed(scene, {}, scene.other.key)),
  floodOfRefusals(
    "well-signed requests that are nonsense",
    (scene) => sealed(scene, { body: utf8("\0") }),
  ),
];

function floodOfRefusals(name: string, file: (scene: Scene) => Promise<Bytes>): Attack {
  return {
    name: `one after the other: ${name}`,
    expect: { event: "violation", violation: "too-many-refusals" },
    async play(scene) {
      const session = await scene.session();
      await session.greet();
      const over = session.ended.then(() => true);
      for (let seq = 1; seq < 200; seq++) {
        await session.say({ kind: "request", seq, envelope: await file(scene) });
        const answer = session.next("outcome").then(() => false, () => true);
        if (await Promise.race([over, answer])) return await session.ended;
        await session.say({ kind: "ack", seq });
      }
      throw new Error("200 refusals, and no end");
    },
  };
}
