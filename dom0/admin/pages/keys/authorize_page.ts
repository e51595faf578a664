// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Letting a VM in: its key's fingerprint, compared by a person with what the VM itself shows, and
 * what the VM may do from then on.
 *
 * @module
 */

import { type Admin, askerOf, isElevated, type View, viewOf } from "../../admin_context.ts";
import { Dom0Error, orProblem } from "../../channel/dom0_channel.ts";
import type { AskedRight, Authorized, GivenKey } from "../../channel/keys_channel.ts";
import { type Html, markup, when } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  type Form,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import { GRANT_TEXT, type GrantLevel, GRANTS, parseGrant } from "../../../policy/grant_file.ts";
import { qubeNamed } from "../../qube_list.ts";
import { page } from "../layout.ts";
import { empty, notice, panel, power, qube, token } from "../parts.ts";

/** What somebody gets who has not thought about it. */
const USUAL: GrantLevel = "ask";

export async function authorizePage(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const view = await viewOf(admin, asked);
  const { name, state } = qubeNamed(view.qubes, asked.query.get("vm") ?? "");
  // An open page that brings itself up to date does not ask the VM again.
  const [fetched, keys] = await Promise.all([
    state === "Running" && view.isVisit ? orProblem(admin.channel.fingerprintOf(name)) : null,
    admin.channel.keys(),
  ]);
  const known = keys.keys.find(({ vm }) => vm === name);
  return page(view, {
    title: `Let ${name} in`,
    heading: markup`Let ${qube(view, name)} in`,
    facts: markup`${power(state)}. Its key, compared by you, and what it may do`,
    main: markup`<nav class="tabs" aria-label="Way back"><a href="/keys">All keys</a></nav>${
      known !== undefined &&
      notice(
        "wait",
        markup`<strong>It has a key already</strong>, <code>${known.fingerprint}</code>. Authorised anew, it has the key and the grant below, and its file of rules <code>50-${name}.policy</code> is written anew.`,
      )
    }<form class="cols" method="post" action="/keys/authorize">${
      token(view.session)
    }<input type="hidden" name="vm" value="${name}"><div class="c6 stack">${
      keyPanel(view, name, state, fetched)
    }</div><div class="c6 stack">${
      grantPanel(view, name)
    }</div></form><form id="start-vm" method="post" action="/qubes/${
      encodeURIComponent(name)
    }/power">${
      token(view.session)
    }<input type="hidden" name="operation" value="vm.start"><input type="hidden" name="then" value="authorize"></form>`,
  });
}

function keyPanel(
  view: View,
  vm: string,
  state: string,
  fetched: string | Dom0Error | null,
): Html {
  const isFetched = typeof fetched === "string";
  return markup`${
    panel(
      { title: "1. Compare its key", id: "compare" },
      isFetched ? compare(view, vm, fetched) : empty(
        markup`<span class="bad">The key cannot be fetched.</span> ${
          fetched instanceof Dom0Error ? fetched.message : `${vm} is ${state.toLowerCase()}.`
        }`,
        state !== "Running" && markup`<button form="start-vm">Start ${vm}</button>`,
        markup`<span class="soft">It has to run, and to have a key, which it makes with <code>qvm-remote key gen</code>; then <a href="/keys/authorize?vm=${
          encodeURIComponent(vm)
        }">try again</a>. Or type the key in below.</span>`,
      ),
    )
  }<details class="panel"${
    when(!isFetched, markup` open`)
  }><summary>Type the key in instead</summary><div class="body stack"><div class="field"><label for="key">Key of <bdi>${vm}</bdi>, 64 hex digits</label><input id="key" name="key" type="password" autocomplete="off" spellcheck="false" maxlength="80"><small>In the VM, <code>qvm-remote key show</code> prints it. It is not shown here, and not kept but in its file.</small></div></div></details>`;
}

function compare(view: View, vm: string, fingerprint: string): Html {
  return markup`<div class="body stack"><p>The key that dom0 fetched from ${
    qube(view, vm)
  } has the fingerprint</p><p class="fingerprint"><code>${fingerprint}</code></p><p>In <bdi>${vm}</bdi>, <code>qvm-remote key fingerprint</code> must print the same.</p><input type="hidden" name="fingerprint" value="${fingerprint}"><label class="check"><input type="checkbox" name="same" value="yes"> I compared them: they are the same</label></div>`;
}

function grantPanel(view: View, vm: string): Html {
  const mayFull = isElevated(view.session, view.nowMs);
  return panel(
    { title: "2. What it may do", id: "grant" },
    markup`<div class="body stack"><fieldset><legend class="vh">What it may do</legend><div class="stack">${
      GRANTS.map((grant) => {
        const isOff = grant === "full" && !mayFull;
        return markup`<label class="check choice"><input type="radio" name="grant" value="${grant}"${
          when(grant === USUAL, markup` checked`)
        }${when(isOff, markup` disabled`)}> <span><strong>${grant}</strong> <span class="soft">${
          GRANT_TEXT[grant]
        }</span>${
          isOff &&
          markup` <span class="small">Only in <a href="/sessions#elevated">elevated mode</a>.</span>`
        }</span></label>`;
      })
    }</div></fieldset>
<div class="field"><label for="scope">Only qubes with the tag</label><input id="scope" name="scope" autocomplete="off" spellcheck="false" maxlength="128" size="20"><small>Empty: every qube. With a tag, dom0 itself is not part of it.</small></div>
<label class="check"><input type="checkbox" name="v1" value="yes"> Accept the old protocol from it: its requests can be repeated by whoever reads its queue</label>
${
      mayFull &&
      markup`<div class="field"><label for="name">For full, type <code>${vm}</code></label><input id="name" name="name" autocomplete="off" spellcheck="false"></div>`
    }<div class="row"><button class="main">Authorise ${vm}</button><a class="btn" href="/keys">Cancel</a></div></div>`,
  );
}

export async function authorizeVm(
  { channel, qubes, dateMs }: Admin,
  { form, session }: AskedBySession,
): Promise<Answer> {
  const { name: vm } = qubeNamed(await qubes.get(), form.get("vm") ?? "");
  const again = `/keys/authorize?vm=${encodeURIComponent(vm)}`;
  const right = rightOf(form);
  const problem = refusal(vm, form, right, isElevated(session, dateMs()));
  if (problem !== null) {
    session.notices.push({ kind: "bad", text: `Not authorised: ${problem}` });
    return seeOther(again);
  }
  try {
    const done = await channel.authorize(vm, keyOf(form), right, askerOf(session));
    session.notices.push(doneNotice(vm, done));
    return seeOther("/keys");
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: `Not authorised: ${error.message}` });
    return seeOther(again);
  }
}

function rightOf(form: Form): AskedRight {
  const grant = parseGrant(form.get("grant") ?? "");
  if (grant === null) throw new HttpError(400, `a grant is one of ${GRANTS.join(", ")}`);
  const tag = (form.get("scope") ?? "").trim().replace(/^@tag:/, "");
  return {
    grant,
    scope: tag === "" ? null : `@tag:${tag}`,
    acceptsV1: form.get("v1") === "yes",
  };
}

/** The page asks for all of it too. null: it may go to dom0. */
function refusal(
  vm: string,
  form: Form,
  { grant }: AskedRight,
  mayFull: boolean,
): string | null {
  const isTyped = (form.get("key") ?? "") !== "";
  if (!isTyped && (form.get("fingerprint") ?? "") === "") {
    return `no key was fetched from ${vm}, and none is typed in.`;
  }
  if (!isTyped && form.get("same") !== "yes") {
    return `compare the fingerprint with the one that ${vm} shows, and say that they are the same.`;
  }
  if (grant !== "full") return null;
  if (!mayFull) return "full is any command, as root; only a session in elevated mode gives it.";
  return form.get("name") === vm ? null : `type ${vm} to give it full.`;
}

function keyOf(form: Form): GivenKey {
  const text = form.get("key") ?? "";
  return text === "" ? { fingerprint: form.get("fingerprint") ?? "" } : { text };
}

function doneNotice(vm: string, { fingerprint, inForce }: Authorized) {
  const kind: "ok" | "wait" = inForce === true ? "ok" : "wait";
  return {
    kind,
    text: `${vm} is authorised, with the key ${fingerprint}. ${
      inForce === true
        ? "The daemon serves it now."
        : inForce === null
        ? "The daemon is not running: it is served when it starts."
        : "The daemon has not taken it up yet: see the Dashboard."
    }`,
  };
}
