// SPDX-License-Identifier: GPL-2.0-or-later
/** Keys: which VMs are let in, by whose key; a look into their queues; taking the right away. @module */

import { type Admin, askerOf, type View, viewOf } from "../../admin_context.ts";
import { Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import type { PolicyState, WhoMay } from "../../channel/policy_channel.ts";
import { type KeyState, QUEUE_QUESTIONS } from "../../channel/keys_channel.ts";
import { type Content, type Html, markup, NOTHING, when } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { Route } from "../../server/router.ts";
import { runningRequests } from "../../../daemon/running_requests.ts";
import { authorizePage, authorizeVm } from "./authorize_page.ts";
import { queuePage } from "./queue_page.ts";
import { page } from "../layout.ts";
import { empty, many, panel, postButton, qubeLink, state, table, token } from "../parts.ts";

export function keyRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/keys",
    access: "session",
    async answer(asked) {
      const [view, keys, policy] = await Promise.all([
        viewOf(admin, asked),
        admin.channel.keys(),
        admin.channel.policy(),
      ]);
      return keysPage(view, keys, policy);
    },
  }, {
    method: "GET",
    path: "/keys/authorize",
    access: "session",
    answer: (asked) => authorizePage(admin, asked),
  }, {
    method: "POST",
    path: "/keys/authorize",
    access: "session",
    answer: (asked) => authorizeVm(admin, asked),
  }, {
    method: "GET",
    path: "/keys/:vm/queue",
    access: "session",
    answer: (asked) => queuePage(admin, asked),
  }, {
    method: "POST",
    path: "/keys/:vm/queue",
    access: "session",
    answer: (asked) => lookIntoQueue(admin, asked),
  }, {
    method: "POST",
    path: "/keys/:vm/revoke",
    access: "session",
    answer: (asked) => revoke(admin, asked),
  }];
}

async function lookIntoQueue(
  { channel }: Admin,
  { named, form, session }: AskedBySession,
): Promise<Answer> {
  const vm = named["vm"] ?? "";
  const what = QUEUE_QUESTIONS.find((one) => one === form.get("what"));
  if (what === undefined) throw new HttpError(400, `what is ${QUEUE_QUESTIONS.join(", ")}`);
  try {
    const { pending, running, results, removed } = await channel.queue(vm, what, askerOf(session));
    const text = `${vm} answers. In its queue: ${pending} to be fetched, ${running} running, ` +
      `${results} answered${what === "status" ? "" : `; ${removed} removed`}.`;
    session.notices.push({ kind: "ok", text });
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: `${vm} does not answer. ${error.message}` });
  }
  return seeOther(what === "status" ? "/keys" : `/keys/${encodeURIComponent(vm)}/queue`);
}

async function revoke(
  { channel }: Admin,
  { named, form, session }: AskedBySession,
): Promise<Answer> {
  const vm = named["vm"] ?? "";
  if (form.get("name") !== vm) {
    session.notices.push({ kind: "bad", text: `Not revoked: type ${vm} to revoke its key.` });
    return seeOther(`/keys?dialog=revoke&vm=${encodeURIComponent(vm)}`);
  }
  const by = askerOf(session);
  await channel.revoke(vm, by);
  const text = `The key of ${vm} is gone: its session and its commands are ended.`;
  session.notices.push({ kind: "ok", text });
  if (form.get("clean") === "yes") {
    const left = await orProblem(channel.queue(vm, "clean", by));
    session.notices.push(
      left instanceof Dom0Error
        ? { kind: "wait", text: `The queue in ${vm} was left as it is. ${left.message}` }
        : { kind: "ok", text: `The queue in ${vm}: ${left.removed} removed.` },
    );
  }
  return seeOther("/keys");
}

function keysPage(view: View, { keys, faults }: KeyState, { who }: PolicyState): Answer {
  return page(view, {
    title: "Keys",
    facts: "Which VMs may send requests. What each may do is the policy’s to say.",
    main: markup`${
      faults.map(({ vm, message }) =>
        markup`<div class="notice bad" role="alert"><div><strong>The key of <bdi>${vm}</bdi> is not used.</strong> ${message}. Authorise it anew, or revoke it.</div></div>`
      )
    }<div class="cols"><div class="c12 w9">${list(view, keys, who)}</div><div class="c6 w3">${
      another(view, keys)
    }</div></div>`,
    dialogs: [...keys, ...faults].map(({ vm }) => revokeDialog(view, vm)),
  });
}

function list(view: View, keys: KeyState["keys"], who: readonly WhoMay[]): Html {
  if (keys.length === 0) {
    return panel(
      { title: "Authorised VMs", id: "keys-in", isLive: true },
      empty(
        "No VM is authorised.",
        markup`<span class="soft">A VM whose key was compared stands here. Choose one beside.</span>`,
      ),
    );
  }
  return panel(
    { title: "Authorised VMs", id: "keys-in", isLive: true, aside: many(keys.length, "key") },
    table(
      [
        { name: "VM" },
        { name: "Channel" },
        { name: "May" },
        { name: "Fingerprint" },
        { name: "Action", look: "num", isSilent: true },
      ],
      keys.map((key) => ({
        key: key.vm,
        cells: [
          qubeLink(view, key.vm),
          channelState(view, key.vm),
          mayDo(who.find(({ vm }) => vm === key.vm)),
          markup`<code class="small">${key.fingerprint}</code>${
            key.acceptsV1 && markup`<div class="small soft">the old protocol too</div>`
          }`,
          actions(view, key.vm),
        ],
      })),
    ),
  );
}

/** How the daemon stands with the VM, and what it has open. */
function channelState({ now }: View, name: string): Content {
  const known = now.daemon?.vms.find(({ vm }) => vm === name);
  if (known === undefined) {
    return state("off", now.daemon === null ? "Daemon not running" : "Not served");
  }
  const { kept, lastEnd } = known;
  return markup`${
    known.state === "connected" ? state("ok", "Connected") : state("off", "Not connected")
  }<div class="small soft">${
    known.state === "connected"
      ? `${runningRequests(known).length} running, ${kept} to be fetched`
      : lastEnd ?? "not tried yet"
  }</div>`;
}

/** The most that some rule lets it do, by level. */
function mayDo(may: WhoMay | undefined): Content {
  if (may === undefined) return markup`<span class="soft">not known</span>`;
  const levels = (["monitor", "manage", "full", "shell"] as const).flatMap((level) => {
    const actions = may.answers[level].map(({ action }) => action);
    const [best] = ["allow", "ask"].filter((one) => actions.includes(one));
    return best === undefined ? [] : [
      markup`<span class="row-word">${level} <span class="${best}">${best}</span></span>`,
    ];
  });
  return levels.length === 0
    ? markup`<span class="deny">nothing</span>`
    : markup`${
      levels.map((one, index) => [index > 0 && ", ", one])
    }<div><a class="small" href="/policy#who">by which rules<span class="vh">: ${may.vm}</span></a></div>`;
}

function actions({ session }: View, vm: string): Html {
  const of = markup`<span class="vh"> ${vm}</span>`;
  const action = `/keys/${encodeURIComponent(vm)}/queue`;
  return markup`<div class="row end whole">${
    postButton(session, action, { what: "status" }, markup`Test${of}`)
  }<a class="btn lean" href="${action}">Queue${of}</a><a class="btn lean" href="/keys/authorize?vm=${
    encodeURIComponent(vm)
  }">Change…${of}</a><a class="btn lean danger" role="button" href="/keys?dialog=revoke&amp;vm=${
    encodeURIComponent(vm)
  }" data-open="revoke-${vm}">Revoke…${of}</a></div>`;
}

/** Copied into the VM: dom0 writes into no VM's system. */
const GUIDE =
  markup`<details class="body small"><summary>It has no qvm-remote yet</summary><ol class="stack gap"><li>In its template (or in the VM, if it is standalone), with the package <code>qvm-remote</code>, or from the sources:<pre>sudo make install-vm</pre></li><li>Shut the template down, restart the VM, and make its key there:<pre>qvm-remote key gen
qvm-remote key fingerprint</pre></li><li>Compare its key here, and choose what it may do.</li><li>Try it in the VM:<pre>qvm-remote ping
qvm-remote doctor</pre></li></ol><p>An agent VM is made by dom0 itself: <code>sudo setup-dom0 claw</code> in dom0’s terminal, then <code>setup-vm</code> in the VM.</p></details>`;

/** A VM runs while its key is fetched: those come first. */
function another({ qubes }: View, keys: KeyState["keys"]): Html {
  const known = new Set(keys.map(({ vm }) => vm));
  const rest = qubes.qubes.filter(({ name, class: of }) => of !== "AdminVM" && !known.has(name));
  const options = (isRunning: boolean): Html => {
    const names = rest.filter(({ state }) => (state === "Running") === isRunning)
      .map(({ name }) => name).sort();
    return names.length === 0
      ? NOTHING
      : markup`<optgroup label="${isRunning ? "They run" : "They do not run"}">${
        names.map((name) => markup`<option>${name}</option>`)
      }</optgroup>`;
  };
  return panel(
    { title: "Let another VM in" },
    rest.length === 0
      ? empty("Every qube has a key.")
      : markup`<form class="body stack" method="get" action="/keys/authorize">
<p class="small soft">In the VM, <code>qvm-remote key gen</code> makes the key. dom0 fetches it while the VM runs, and you compare its fingerprint.</p>
<div class="field"><label for="new-vm">VM</label><select id="new-vm" name="vm">${options(true)}${
        options(false)
      }</select></div><button class="main">Compare its key</button></form>${GUIDE}`,
  );
}

function revokeDialog({ session, query }: View, vm: string): Html {
  const isOpen = query.get("dialog") === "revoke" && query.get("vm") === vm;
  return markup`<dialog id="revoke-${vm}" aria-labelledby="revoke-h-${vm}"${
    when(isOpen, markup` open`)
  }><form method="post" action="/keys/${encodeURIComponent(vm)}/revoke">${token(session)}
<h2 id="revoke-h-${vm}">Revoke the key of <bdi>${vm}</bdi>?</h2>
<div class="stack"><p>At once: its session and its commands are ended, its grant file is removed. To let it in again, its key is compared anew.</p>
<div class="field"><label for="revoke-name-${vm}">Type <code>${vm}</code> to revoke it</label><input id="revoke-name-${vm}" name="name" autocomplete="off" spellcheck="false" autofocus data-word="${vm}" data-for="revoke-go-${vm}"></div><label class="check"><input type="checkbox" name="clean" value="yes"> Empty its queue, too, if it runs</label></div>
<footer><a class="btn" href="/keys" data-close>Cancel</a><button id="revoke-go-${vm}" class="alarm">Revoke</button></footer></form></dialog>`;
}
