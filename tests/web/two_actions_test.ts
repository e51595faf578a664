// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a person needs most often takes at most two actions from the Dashboard: clicks and keys, each
 * one. What is said in it (a reason, a folder) and the word that must be typed before something is
 * destroyed are not counted.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { FakeDom0 } from "../dom0/admin/fake_channel.ts";
import { type OpenPage, scriptsRun, startBrowser } from "./browser_scene.ts";
import { makeBusy } from "./web_world.ts";

const MOST = 2;

/** One thing that a person does, from the Dashboard on. */
interface Deed {
  readonly name: string;
  readonly run: (by: Hand) => Promise<void>;
  /** Stands on the page when it is done. */
  readonly shows: string;
  /** What dom0 was asked for; null: it only looks. */
  readonly did: RegExp | null;
}

/** A person's hand, which counts. */
interface Hand {
  click(what: string): Promise<void>;
  press(key: string): Promise<void>;
  /** Not counted: a person reads first, and by then the scripts of the page run. */
  see(what: string): Promise<void>;
  /** Not counted: into the field that has the focus, which is none the person had to find. */
  say(words: string): Promise<void>;
  fill(field: string, words: string): Promise<void>;
  readonly actions: () => number;
}

function handOn({ page }: OpenPage): Hand {
  let actions = 0;
  return {
    async click(what) {
      actions++;
      await page.click(what);
    },
    async press(key) {
      actions++;
      await page.keyboard.press(key);
    },
    async see(what) {
      await page.waitForSelector(what);
      await scriptsRun(page);
    },
    async say(words) {
      await page.waitForSelector("dialog[open] input:focus, main input:focus");
      await page.keyboard.type(words);
    },
    fill: (field, words) => page.fill(field, words),
    actions: () => actions,
  };
}

const DEEDS: readonly Deed[] = [
  {
    name: "approve a request",
    async run({ click, see, press }) {
      await click("#waiting >> text=Review >> nth=0");
      await see("#chosen >> text=Approve once");
      await press("a");
    },
    shows: "Approved once",
    did: /^approve research/,
  },
  {
    name: "deny a request, with a reason",
    async run({ click, say, press }) {
      await click("#waiting >> text=Deny… >> nth=0");
      await say("not today");
      await press("Enter");
    },
    shows: "Denied",
    did: /^deny .* "not today"/,
  },
  {
    name: "see why something failed",
    run: ({ click }) => click("#failures >> text=exit 1"),
    shows: "Why. The program ended with code 1.",
    did: null,
  },
  {
    name: "start a qube",
    async run({ click }) {
      await click("#nav >> text=Qubes >> nth=1");
      await click("tr[data-key=personal] >> text=Start");
    },
    shows: "personal starts.",
    did: /^run vm.start/,
  },
  {
    name: "shut down a qube",
    async run({ click }) {
      await click("#nav >> text=Qubes >> nth=1");
      await click("tr[data-key=research] >> text=Shut down");
    },
    shows: "research shuts down.",
    did: /^run vm.shutdown/,
  },
  {
    name: "stop what runs",
    async run({ click }) {
      await click("#running >> text=End…");
      await click("dialog#end >> text=End it");
    },
    shows: "The request of work is ended.",
    did: /^cancel work\/r1/,
  },
  {
    name: "see what a VM did",
    run: ({ click }) => click("#channels tr[data-key=work] >> text=Records"),
    shows: "#records >> text=exit 0 >> nth=0",
    did: null,
  },
  {
    name: "take a VM's key away",
    async run({ click, say, press }) {
      await click("#channels tr[data-key=work] >> text=Revoke…");
      await say("work");
      await press("Enter");
    },
    shows: "The key of work is gone",
    did: /^revoke work/,
  },
  {
    name: "undo the last change",
    async run({ click }) {
      await click("#nav >> text=Undo");
      await click("text=Undo this change");
    },
    shows: "Undone, and on record.",
    did: /^undo /,
  },
  {
    name: "look for updates of dom0",
    async run({ click }) {
      await click("#nav >> text=Global");
      await click("text=Look for updates");
    },
    shows: "#run >> text=update.check",
    did: /^run update.check/,
  },
  {
    name: "back qubes up",
    async run({ click, fill }) {
      await click("#nav >> text=Backup");
      await fill("#location", "/mnt/backup");
      await fill("#passphrase_file", "/root/backup-passphrase");
      await click("button >> text=Back up");
    },
    shows: "#run >> text=backup.start",
    did: /^run backup.start/,
  },
  {
    name: "lock everything down",
    async run({ click, press }) {
      await click("header >> text=Lockdown");
      await press("Enter");
    },
    shows: ".band >> text=Locked down.",
    did: /^lockdown/,
  },
  {
    name: "unlock",
    async run({ click, say, press }) {
      await click("header >> text=Unlock…");
      await say("unlock");
      await press("Enter");
    },
    shows: "Unlocked",
    did: /^unlock/,
  },
];

Deno.test("what a person needs most often takes at most two actions from the Dashboard", async (t) => {
  await using scene = await startBrowser();
  const { dom0, dateMs } = scene.scene;
  makeBusy(dom0, dateMs);
  await using open = await scene.open("/");
  assert(DEEDS.length >= 10);
  for (const { name, run, shows, did } of DEEDS) {
    await t.step(name, async () => {
      const before = dom0.did.length;
      await open.go("/");
      const hand = handOn(open);
      await run(hand);
      await open.page.waitForSelector(/^[#.]/.test(shows) ? shows : `text=${shows}`);
      assert(hand.actions() <= MOST, `${hand.actions()} actions`);
      assertEquals(asked(dom0, before, did), did === null ? [] : [1], dom0.did.join("\n"));
    });
  }
  assertEquals(open.complaints, []);
});

/** How often dom0 was asked for it. */
function asked({ did }: FakeDom0, before: number, wanted: RegExp | null): readonly number[] {
  const since = did.slice(before);
  return wanted === null
    ? since.map(() => 1)
    : since.filter((one) => wanted.test(one)).map(() => 1);
}
