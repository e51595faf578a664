// SPDX-License-Identifier: GPL-2.0-or-later
/** A new file of policy: its name, and a text to start from. @module */

import type { View } from "../../admin_context.ts";
import type { PolicyState } from "../../channel/policy_channel.ts";
import { type Html, markup, when } from "../../markup/markup.ts";
import { type Draft, editorParts } from "./file_editor.ts";

interface Start {
  readonly word: string;
  readonly name: string;
  readonly file: (vm: string) => string;
  readonly rules: (vm: string, nowMs: number) => readonly string[];
}

const HOUR_MS = 3600_000;

/** The texts of policies/RECIPES.md. */
export const STARTS: readonly Start[] = [
  {
    word: "asks",
    name: "It reads, and asks for everything else",
    file: (vm) => `40-${vm}.policy`,
    rules: (vm) => [`@monitor  ${vm}  *  allow`, `*         ${vm}  *  ask`],
  },
  {
    word: "tagged",
    name: "It starts and stops the qubes tagged ai, and sees no other",
    file: (vm) => `40-${vm}.policy`,
    rules: (vm) => [
      `@monitor     ${vm}  @tag:ai  allow`,
      `vm.start     ${vm}  @tag:ai  allow`,
      `vm.shutdown  ${vm}  @tag:ai  allow`,
    ],
  },
  {
    word: "own",
    name: "It gets qubes of its own",
    file: (vm) => `40-${vm}.policy`,
    rules: (vm) => [
      `vm.create  ${vm}  @type:TemplateVM  allow`,
      `vm.create  ${vm}  *                 allow  create=@tag:ai`,
      `@monitor   ${vm}  @tag:ai           allow`,
      `@manage    ${vm}  @tag:ai           allow`,
    ],
  },
  {
    word: "deploys",
    name: "A shell for an hour, ten minutes for each command",
    file: (vm) => `30-${vm}-deploys.policy`,
    rules: (vm, nowMs) => [
      `shell  ${vm}  -  allow  timeout=600 expires=${minute(nowMs + HOUR_MS)}`,
    ],
  },
  { word: "empty", name: "Nothing", file: () => "", rules: () => [] },
];

const HEAD = "# operation  source  target  action";

/** @param file as it was typed */
export function newFile(view: View, policy: PolicyState, file: string, draft: Draft | null): Html {
  const { query, nowMs } = view;
  const vm = query.get("vm") || policy.who[0]?.vm || "agent";
  const start = STARTS.find(({ word }) => word === query.get("new")) ?? STARTS[0];
  const text = draft?.text ?? [HEAD, ...start?.rules(vm, nowMs) ?? [], ""].join("\n");
  const name = draft === null ? start?.file(vm) ?? "" : file;
  return markup`<section class="panel c9 w6" id="editor"><header><h2>A new file</h2><span class="small soft">not saved</span></header><div class="body stack">
<form class="filters" method="get" action="/policy#editor"><div class="field"><label for="new">Start from</label><select id="new" name="new">${
    STARTS.map(({ word, name }) =>
      markup`<option value="${word}"${
        when(word === start?.word, markup` selected`)
      }>${name}</option>`
    )
  }</select></div><div class="field"><label for="vm">For</label><select id="vm" name="vm">${
    policy.who.map((one) =>
      markup`<option${when(one.vm === vm, markup` selected`)}>${one.vm}</option>`
    )
  }${
    policy.who.length === 0 && markup`<option>agent</option>`
  }</select></div><button>Take this text</button></form>
<form class="stack" method="post" action="/policy?new=${start?.word ?? ""}&vm=${
    encodeURIComponent(vm)
  }#editor"><div class="field"><label for="file">Name</label><input id="file" name="file" value="${name}" required size="30" placeholder="40-agent.policy" autocomplete="off" spellcheck="false"><small>Two digits, a word, <code>.policy</code>. Files are read in the order of their names, and the first rule that matches counts: what <code>30-</code> says comes before <code>50-</code>, where “authorize” writes.</small></div>${
    editorParts(view, policy, {
      file: name,
      text,
      seen: null,
      check: draft?.trial ?? policy,
      draft,
      more: markup`<a href="/policy">Leave it</a>`,
    })
  }</form></div></section>`;
}

/** "2026-11-28T14:30Z", as a rule has it. */
function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16)}Z`;
}
