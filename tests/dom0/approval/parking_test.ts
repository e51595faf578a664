// SPDX-License-Identifier: GPL-2.0-or-later
/** Requests that wait for a person, at a real desk: each ends in one way. */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import type { Answer, Approver } from "../../../dom0/approval/parking.ts";
import type { ParkedView } from "../../../dom0/approval/parked_view.ts";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import type { JsonValue } from "../../../dom0/operations/operation.ts";
import { ReadError } from "../../../dom0/run/read_operation.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { filesBelow, LAB, requestId, until, WORK } from "../fixture.ts";
import {
  deskTest,
  jobOf,
  script,
  send,
  type Sent,
  turn,
  v2,
  type Wishes,
  withWorld,
  type World,
} from "../judge/desk_world.ts";
import { createSeat } from "../judge/seat.ts";

const BY: Approver = { user: "ann", via: "/dev/pts/1" };
/** Whether the record can be written. */
const failing = { now: false };
const NOTHING_READ = (): Promise<JsonValue> => Promise.reject(new ReadError("nothing is read"));

/** A world that asks about everything. */
function asking(
  name: string,
  run: (world: World) => Promise<void>,
  wishes: Partial<Wishes> = {},
): void {
  deskTest(
    `parking: ${name}`,
    () => withWorld({ action: "ask", asks: NOTHING_READ, ...wishes }, run),
  );
}

async function viewOf({ parking }: World, n = 1): Promise<ParkedView> {
  const find = (): ParkedView | undefined => parking.views().find(({ id }) => id === requestId(n));
  await until(`request ${n} can be looked at`, () => find() !== undefined);
  const view = find();
  if (view === undefined) throw new Error("no view");
  return view;
}

function approve(
  { parking }: World,
  { vm, id, hash }: ParkedView,
  more: { forSeconds?: number; allLike?: boolean } = {},
): Promise<Answer> {
  return parking.approve({ vm, id, hash, forSeconds: null, allLike: false, ...more }, BY);
}

const runsOf = ({ folder }: World): string => {
  try {
    return Deno.readTextFileSync(`${folder}/runs`);
  } catch {
    return "";
  }
};

/** A request that leaves a letter where it ran. */
function ask(world: World, n = 1, letter = "x", seat = createSeat()): Promise<Sent> {
  const issuedAtMs = world.clock.dateMs();
  return script(`printf ${letter} >>'${world.folder}/runs'`, n, { issuedAtMs })
    .then((event) => send(world, event, { seat }));
}

async function nothingIsLeft(world: World): Promise<void> {
  assertEquals(world.parking.views(), []);
  assertEquals(filesBelow(`${world.folder}/parked`).size, 0);
  await world.desk.idle();
  assertEquals(filesBelow(`${world.folder}/work`).size, 0);
}

asking("it waits, is shown whole, and runs when a person says yes", async (world) => {
  const { seat } = await ask(world);
  assertEquals(seat.log, ["accepted", "parked"]);
  const view = await viewOf(world);
  const files = filesBelow(`${world.folder}/parked`);
  assertEquals(
    files.get(`${world.folder}/parked/work-${view.id}.body`),
    `printf x >>'${world.folder}/runs'`,
  );
  assertEquals(JSON.parse(files.get(`${world.folder}/parked/work-${view.id}.json`) ?? ""), view);
  assertEquals([view.operation, view.rule, view.targets], ["shell", "test:1", ["dom0"]]);
  assertEquals(runsOf(world), "");
  assertEquals(await approve(world, view), { ok: true, text: "approved" });
  assertEquals((await seat.answered).kind, "done");
  assertEquals(seat.log, ["accepted", "parked", "approved", "outcome done"]);
  assertEquals(runsOf(world), "x");
  assertEquals(world.events(), ["parked", "approved", "done"]);
  assertEquals((await approve(world, view)).ok, false, "twice");
  assertEquals(runsOf(world), "x");
  await nothingIsLeft(world);
});

asking("a person says no, and says why", async (world) => {
  const { seat } = await ask(world);
  const { vm, id, hash } = await viewOf(world);
  const no = { vm, id, hash, reason: "not today" };
  assertEquals(await world.parking.deny(no, BY), { ok: true, text: "denied" });
  const outcome = await seat.answered;
  assertEquals([outcome.kind, outcome.reason], ["refused", "not-approved"]);
  assertEquals(seat.text(2), "qvm-remote-dom0: not today\n");
  assertEquals(world.events(), ["parked", "denied not-approved"]);
  assertEquals((await world.parking.deny(no, BY)).ok, false);
  await nothingIsLeft(world);
});

asking("nobody answers: it ends after an hour, whatever the clock of dates does", async (world) => {
  const { seat } = await ask(world);
  const view = await viewOf(world);
  assertEquals(view.expiresAtMs - view.parkedAtMs, 3600_000);
  world.clock.step(7200_000);
  world.clock.advance(3599_000);
  assertEquals(seat.outcomes(), []);
  world.clock.advance(1000);
  assertEquals((await seat.answered).reason, "approval-expired");
  assertEquals(world.events(), ["parked", "expired approval-expired"]);
  assertEquals((await approve(world, view)).ok, false);
  await nothingIsLeft(world);
});

asking("a rule that ends sooner ends what it parked", async (world) => {
  const { seat } = await ask(world);
  const view = await viewOf(world);
  assertEquals(view.expiresAtMs, world.wishes.ruleOptions?.expiresMs);
  world.clock.advance(60_000);
  assertEquals((await seat.answered).reason, "approval-expired");
}, { ruleOptions: { expiresMs: 1_795_338_900_000 + 60_000 } });

for (
  const [what, reason, end] of [
    [
      "its VM takes it back",
      "cancelled",
      ({ verdict, seat }) => jobOf({ verdict, seat }).stop("cancelled"),
    ],
    ["dom0 is locked down", "locked-down", (_sent, { desk }) => desk.stop("locked-down")],
    ["its VM loses its key", "revoked", (_sent, { desk }) => desk.stop("revoked", WORK)],
    ["the daemon is stopped", "stopping", (_sent, { desk }) => desk.stop("stopping")],
  ] satisfies [string, string, (sent: Sent, world: World) => unknown][]
) {
  asking(`${what}: it ends so, and cannot be approved any more`, async (world) => {
    const sent = await ask(world);
    const view = await viewOf(world);
    end(sent, world);
    assertEquals((await sent.seat.answered).kind, reason);
    assertEquals((await approve(world, view)).ok, false);
    assertEquals(world.events(), ["parked", reason]);
    assertEquals(runsOf(world), "");
    await nothingIsLeft(world);
  });
}

asking("the policy comes to deny it: refused without a question", async (world) => {
  const { seat } = await ask(world);
  const view = await viewOf(world);
  await world.parking.reconsider();
  assertEquals(seat.outcomes(), [], "it may still be asked");
  world.wishes.action = "deny";
  await world.parking.reconsider();
  assertEquals((await seat.answered).reason, "policy-denied");
  assertEquals(world.events(), ["parked", "refused policy-denied"]);
  assertEquals((await approve(world, view)).ok, false);
  await nothingIsLeft(world);
});

asking("approved while the policy denies it by now, or all is closed: refused", async (world) => {
  const first = await ask(world);
  const view = await viewOf(world);
  world.wishes.action = "deny";
  assertEquals((await approve(world, view)).ok, false);
  assertEquals((await first.seat.answered).reason, "policy-denied");
  world.wishes.action = "ask";
  const second = await ask(world, 2);
  const other = await viewOf(world, 2);
  world.wishes.closed = "revoked";
  assertEquals((await approve(world, other)).ok, false);
  assertEquals((await second.seat.answered).reason, "revoked");
  assertEquals(runsOf(world), "");
  await nothingIsLeft(world);
});

asking("a yes to something else than was shown counts for nothing", async (world) => {
  const { seat } = await ask(world);
  const view = await viewOf(world);
  assertEquals((await approve(world, { ...view, hash: "0".repeat(64) })).ok, false);
  assertEquals((await approve(world, { ...view, vm: "lab" })).ok, false);
  await turn();
  assertEquals([seat.outcomes().length, runsOf(world)], [0, ""]);
  assertEquals((await viewOf(world)).hash, view.hash);
});

deskTest("parking: what it would change is another by now: shown again, not run", async () => {
  let memory = "400";
  const read = (): Promise<JsonValue> =>
    Promise.resolve({ memory: { value: memory, isDefault: false } });
  const recognised = {
    ...recogniseNamed("vm.prefs.set", ["vm=lab", "property=memory", "value=800"]),
    argvs: [["true"]],
  };
  await withWorld({ action: "ask", asks: read, recognised }, async (world) => {
    const { seat } = await ask(world);
    const view = await viewOf(world);
    const after = { value: "800", isDefault: false };
    assertEquals(view.preview.rows, [
      { what: "memory of lab", before: { value: "400", isDefault: false }, after },
    ]);
    assertEquals([view.argvs, view.targets, view.destructive], [[["true"]], ["lab"], false]);
    memory = "600";
    assertEquals((await approve(world, view)).ok, false);
    const fresh = await viewOf(world);
    assertNotEquals(fresh.hash, view.hash);
    assertEquals(fresh.preview.rows[0]?.before, { value: "600", isDefault: false });
    assertEquals((await approve(world, view)).ok, false, "the old one is void");
    assertEquals(seat.outcomes(), []);
    assertEquals((await approve(world, fresh)).ok, true);
    assertEquals((await seat.answered).kind, "done");
    assertEquals(world.events(), ["parked", "approved", "done"]);
  });
});

asking(
  "what cannot be read for the preview is said, and does not stand in the way",
  async (world) => {
    const { seat } = await ask(world);
    const view = await viewOf(world);
    assertEquals(view.preview.unknown, ["memory of lab: nothing is read"]);
    assertEquals((await approve(world, view)).ok, true);
    assertEquals((await seat.answered).kind, "done");
  },
  {
    recognised: {
      ...recogniseNamed("vm.prefs.set", ["vm=lab", "property=memory", "value=800"]),
      argvs: [["true"]],
    },
  },
);

asking("no more of one VM wait than may, and another VM is not touched by that", async (world) => {
  for (let n = 1; n <= 8; n++) await ask(world, n);
  const ninth = await ask(world, 9);
  assertEquals((await ninth.seat.answered).reason, "too-many-parked");
  assert(world.parking.hasRoom(LAB));
  const view = await viewOf(world, 3);
  await approve(world, view);
  const tenth = await ask(world, 10);
  assertEquals(tenth.seat.log, ["accepted", "parked"]);
});

asking("two answers at once: one counts", async (world) => {
  const { seat } = await ask(world);
  const view = await viewOf(world);
  const no = { vm: view.vm, id: view.id, hash: view.hash, reason: null };
  const answers = await Promise.all([
    ...[approve(world, view), approve(world, view)],
    world.parking.deny(no, BY),
  ]);
  assertEquals(answers.filter(({ ok }) => ok).length, 1);
  await seat.answered;
  assertEquals(seat.outcomes().length, 1);
  await world.desk.idle();
  assert(runsOf(world).length <= 1, runsOf(world));
});

asking(
  "its session breaks: the next one hears that it waits, and gets the answer",
  async (world) => {
    const event = await script(`printf x >>'${world.folder}/runs'`);
    const first = await send(world, event);
    const view = await viewOf(world);
    jobOf(first).detach(first.seat);
    first.seat.close();
    const second = await send(world, event);
    assertEquals(second.seat.log, ["accepted", "parked"]);
    assertEquals((await approve(world, view)).ok, true);
    assertEquals((await second.seat.answered).kind, "done");
    assertEquals(runsOf(world), "x");
  },
);

asking("a crash while it waits: interrupted, and never run", async (world) => {
  const event = await script(`printf x >>'${world.folder}/runs'`);
  await send(world, event);
  const view = await viewOf(world);
  const next = await world.restart();
  const { seat } = await send(next, event);
  assertEquals((await seat.answered).kind, "interrupted");
  assertEquals(next.parking.views(), []);
  assertEquals((await approve(next, view)).ok, false);
  assertEquals(runsOf(world), "");
  await next.close();
});

asking(
  "a refusal that its VM did not fetch is recorded once, also after a restart",
  async (world) => {
    const { seat } = await ask(world);
    const { vm, id, hash } = await viewOf(world);
    await world.parking.deny({ vm, id, hash, reason: null }, BY);
    assertEquals((await seat.answered).reason, "not-approved");
    const next = await world.restart();
    assertEquals(next.events(), ["parked", "denied not-approved"]);
    await next.close();
  },
);

asking(
  "what cannot be recorded does not wait, and what cannot be recorded as approved does not run",
  async (world) => {
    const { seat } = await ask(world);
    const view = await viewOf(world);
    failing.now = true;
    assertEquals((await approve(world, view, { forSeconds: 60 })).ok, false);
    assertEquals((await seat.answered).reason, "not-recorded");
    assertEquals(world.parking.grants.list(), []);
    const second = await ask(world, 2);
    assertEquals((await second.seat.answered).reason, "not-recorded");
    failing.now = false;
    assertEquals(runsOf(world), "");
    await nothingIsLeft(world);
  },
  {
    audit: (audit) => ({
      ...audit,
      record(event, fields) {
        if (failing.now && event !== "refused") throw new Error("the disk is full");
        audit.record(event, fields);
      },
    }),
  },
);
/** What a person would be shown cannot be written: as with a full /run. */
for (const isScript of [true, false]) {
  asking(
    `${
      isScript ? "a script" : "an operation"
    } that cannot be shown is refused, and the next one waits`,
    async (world) => {
      const parked = `${world.folder}/parked`;
      Deno.removeSync(parked, { recursive: true });
      const { seat } = isScript
        ? await ask(world)
        : await send(world, await v2({ mode: "op", body: utf8(`vm.start\0vm=${LAB}\0`) }));
      const { kind, reason } = await seat.answered;
      assertEquals([kind, reason], ["refused", "not-recorded"]);
      assertEquals(runsOf(world), "");
      Deno.mkdirSync(parked);
      await ask(world, 2);
      await approve(world, await viewOf(world, 2));
      await until("the next one has run", () => runsOf(world) === "x");
      await nothingIsLeft(world);
    },
  );
}

asking("a large script waits on disk, and runs as it was shown", async (world) => {
  const text = `printf x >>'${world.folder}/runs'\n${"# more\n".repeat(2000)}`;
  const { seat } = await send(world, await script(text));
  const view = await viewOf(world);
  const shown = filesBelow(`${world.folder}/parked`).get(
    `${world.folder}/parked/work-${view.id}.body`,
  );
  assertEquals(shown, text);
  await approve(world, view);
  assertEquals((await seat.answered).kind, "done");
  assertEquals(runsOf(world), "x");
  await nothingIsLeft(world);
});

asking(
  "a grant lets the same run again, and nothing else, until its time is over",
  async (world) => {
    const first = await ask(world, 1);
    await approve(world, await viewOf(world), { forSeconds: 600 });
    await first.seat.answered;
    const again = await ask(world, 2);
    assertEquals((await again.seat.answered).kind, "done");
    const other = await ask(world, 3, "y");
    assertEquals(other.seat.log, ["accepted", "parked"]);
    assertEquals(runsOf(world), "xx");
    world.clock.advance(600_000);
    const late = await ask(world, 4);
    assertEquals(late.seat.log, ["accepted", "parked"]);
    assertEquals(world.events().filter((event) => event === "accepted").length, 1);
  },
);

const setMemory = (value: string) => ({
  ...recogniseNamed("vm.prefs.set", ["vm=lab", "property=memory", `value=${value}`]),
  argvs: [["true", value]],
});

asking("a grant for all like it covers other values; a lockdown ends it", async (world) => {
  const first = await ask(world, 1);
  const granted = await approve(world, await viewOf(world), { forSeconds: 600, allLike: true });
  assertEquals(granted.ok, true);
  await first.seat.answered;
  world.wishes.recognised = setMemory("900");
  const other = await ask(world, 2);
  assertEquals((await other.seat.answered).kind, "done");
  world.desk.stop("locked-down");
  assertEquals(world.parking.grants.list(), []);
  assertEquals((await ask(world, 3)).seat.log, ["accepted", "parked"]);
}, { recognised: setMemory("800") });

asking("any command line as root is no grant", async (world) => {
  const { seat } = await ask(world);
  const view = await viewOf(world);
  const refused = await approve(world, view, { forSeconds: 600, allLike: true });
  assertEquals(refused.ok, false);
  assertStringIncludes(refused.text, "leave --all-like out");
  assertEquals([seat.outcomes().length, world.parking.grants.list().length], [0, 0]);
  assertEquals((await approve(world, view)).ok, true, "it still waits");
});

asking("what destroys something is approved one by one", async (world) => {
  const { seat } = await ask(world);
  const view = await viewOf(world);
  assertEquals(view.destructive, true);
  const refused = await approve(world, view, { forSeconds: 600 });
  assertStringIncludes(refused.text, "without --for");
  assertEquals((await approve(world, view)).ok, true);
  assertEquals((await seat.answered).kind, "done");
}, { recognised: { ...recogniseNamed("vm.remove", ["vm=lab"]), argvs: [["true"]] } });

asking("a grant answers no denial", async (world) => {
  const first = await ask(world, 1);
  await approve(world, await viewOf(world), { forSeconds: 600 });
  await first.seat.answered;
  world.wishes.action = "deny";
  assertEquals((await (await ask(world, 2)).seat.answered).reason, "policy-denied");
});

deskTest(
  "desk: what a VM may do, and what would become of a request, is told and not done",
  () =>
    withWorld({ action: "ask" }, async (world) => {
      const list = await send(world, await v2({ mode: "op", body: utf8("ops\0") }));
      assertEquals((await list.seat.answered).exitCode, 0);
      assertEquals(list.seat.text(1), "what work may do\n");
      const body = utf8(`printf x >>'${world.folder}/runs'`);
      const explained = await send(world, await v2({ n: 2, flags: new Set(["explain"]), body }));
      assertEquals((await explained.seat.answered).exitCode, 0);
      assertEquals(explained.seat.text(1), "work: ask\n");
      assertEquals(runsOf(world), "");
      assertEquals(world.events(), ["informed", "done", "informed", "done"]);
      world.wishes.closed = "locked-down";
      const closed = await send(world, await v2({ n: 3, mode: "op", body: utf8("ops\0") }));
      assertEquals((await closed.seat.answered).reason, "locked-down");
    }),
);

deskTest(
  "desk: what is wrong with an operation is said to its VM",
  () =>
    withWorld({ fault: 'vm: "-x" is not a qube' }, async (world) => {
      const { seat } = await send(world, await v2({ mode: "op", body: utf8("vm.start\0vm=-x\0") }));
      assertEquals((await seat.answered).reason, "bad-operation");
      assertEquals(seat.text(2), 'qvm-remote-dom0: vm: "-x" is not a qube\n');
    }),
);
