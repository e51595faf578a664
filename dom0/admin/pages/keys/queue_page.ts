// SPDX-License-Identifier: GPL-2.0-or-later
/** What lies in the queue of a VM, which is the VM's own folder; looked into, and cleared out. @module */

import { type Admin, type View, viewOf } from "../../admin_context.ts";
import { Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import type { QueueItem } from "../../channel/keys_channel.ts";
import { type Html, markup } from "../../markup/markup.ts";
import type { Answer, AskedBySession } from "../../server/http_message.ts";
import { qubeNamed } from "../../qube_list.ts";
import { page } from "../layout.ts";
import { count, empty, many, panel, postButton, qube, says, table, unreadable } from "../parts.ts";

/** More are not shown: a VM may put any number there. */
const MOST = 200;

/** What each folder of it holds. */
const FOLDERS: ReadonlyMap<string, string> = new Map([
  ["pending", "to be fetched by dom0"],
  ["running", "with dom0, not answered yet"],
  ["results", "answered, to be fetched by the client"],
  ["cancel", "taken back by the client"],
]);

export async function queuePage(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const view = await viewOf(admin, asked);
  const { name: vm } = qubeNamed(view.qubes, asked.named["vm"] ?? "");
  const items = await orProblem(admin.channel.queueEntries(vm));
  return page(view, {
    title: `Queue of ${vm}`,
    heading: markup`Queue of ${qube(view, vm)}`,
    facts: "Files in the VM, as it lists them",
    actions: markup`${clear(view, vm, "clean", "Clean")}${clear(view, vm, "recover", "Recover")}`,
    main:
      markup`<nav class="tabs" aria-label="Way back"><a href="/keys">All keys</a><a href="/logs?vm=${
        encodeURIComponent(vm)
      }">Records</a></nav><div class="cols"><div class="c8">${
        list(view, vm, items)
      }</div><div class="c4">${words(vm)}</div></div>`,
  });
}

function clear({ session }: View, vm: string, what: string, button: string): Html {
  return postButton(session, `/keys/${encodeURIComponent(vm)}/queue`, { what }, button, "");
}

function list(view: View, vm: string, items: readonly QueueItem[] | Dom0Error): Html {
  if (items instanceof Dom0Error) return panel({ title: "Entries" }, unreadable(items.message));
  return panel(
    { title: "Entries", aside: many(items.length, "file") },
    items.length === 0 ? empty("The queue is empty.") : markup`<div class="body">${
      says(
        view,
        vm,
        items.length > MOST ? `the first ${count(MOST)} names, its own` : "the names are its own",
        table(
          [{ name: "Folder" }, { name: "Name" }, { name: "Size", look: "num" }],
          items.slice(0, MOST).map(({ folder, bytes, name }) => ({
            cells: [folder, markup`<code>${name}</code>`, many(bytes, "byte")],
          })),
          "edits",
        ),
      )
    }</div>`,
  );
}

function words(vm: string): Html {
  return panel(
    { title: "What it means" },
    markup`<div class="body stack"><dl class="facts">${
      [...FOLDERS].map(([folder, what]) => markup`<dt><code>${folder}</code></dt><dd>${what}</dd>`)
    }</dl><p class="small"><strong>Clean</strong> removes what no client in <bdi>${vm}</bdi> waits for. <strong>Recover</strong> answers requests that were left without an answer; what runs in dom0 is not touched.</p></div>`,
  );
}
