// SPDX-License-Identifier: GPL-2.0-or-later
/** Policy: the rules, their effect for each authorised VM, and why. @module */

import { type Admin, askerOf, isElevated, type View, viewOf } from "../admin_context.ts";
import {
  Dom0Error,
  type Explanation,
  orProblem,
  type PolicyCheck,
  type PolicyState,
  type WhoMay,
} from "../channel/dom0_channel.ts";
import {
  type Content,
  type Html,
  lines,
  markup,
  NOTHING,
  textarea,
  when,
} from "../markup/markup.ts";
import { type Answer, type AskedBySession, HttpError, seeOther } from "../server/http_message.ts";
import { MAX_POLICY_FORM_BYTES } from "../server/limits.ts";
import type { Route } from "../server/router.ts";
import { page } from "./layout.ts";
import { empty, many, panel, qube, qubeLink, table, token } from "./parts.ts";

/** What the editor shows if it is not what is on the disk. */
interface Draft {
  readonly text: string;
  readonly check: PolicyCheck;
}

export function policyRoutes(admin: Admin): readonly Route[] {
  const show = async (
    asked: AskedBySession,
    file: string | undefined,
    draft: Draft | null,
  ): Promise<Answer> => {
    const [view, policy] = await Promise.all([viewOf(admin, asked), admin.channel.policy()]);
    const chosen = file ?? policy.files[0]?.name;
    return policyPage(view, policy, chosen, draft, await explain(admin, asked));
  };
  return [
    {
      method: "GET",
      path: "/policy",
      access: "session",
      answer: (asked) => show(asked, undefined, null),
    },
    {
      method: "GET",
      path: "/policy/:file",
      access: "session",
      answer: (asked) => show(asked, asked.named["file"], null),
    },
    {
      method: "POST",
      path: "/policy/:file",
      access: "session",
      maxFormBytes: MAX_POLICY_FORM_BYTES,
      async answer(asked) {
        const draft = await save(admin, asked);
        const file = asked.named["file"] ?? "";
        return draft === null
          ? seeOther(`/policy/${encodeURIComponent(file)}`)
          : await show(asked, file, draft);
      },
    },
  ];
}

/** @returns null if it was saved */
async function save(
  { channel, dateMs }: Admin,
  { named, form, session }: AskedBySession,
): Promise<Draft | null> {
  const file = named["file"] ?? "";
  const text = form.get("text") ?? "";
  const check = await channel.checkPolicy(file, text);
  if (form.get("what") === "check" || check.error !== null) return { text, check };
  if (form.get("what") !== "save") throw new HttpError(400, "what is check or save");
  if (!isElevated(session, dateMs())) {
    const error =
      "Not saved: rules decide who may do anything. Begin elevated mode first, on the " +
      "page Sessions; this text is kept here";
    return { text, check: { ...check, error } };
  }
  try {
    await channel.savePolicy(file, text, askerOf(session));
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    return { text, check: { error: error.message, warnings: [] } };
  }
  session.notices.push({ kind: "ok", text: `${file} is in force.` });
  return null;
}

async function explain(
  { channel }: Admin,
  { query }: AskedBySession,
): Promise<Explanation | Dom0Error | null> {
  const [vm, words] = [query.get("vm"), query.get("words")];
  if (!vm || !words) return null;
  return await orProblem(channel.explain(vm, [words]));
}

function policyPage(
  view: View,
  policy: PolicyState,
  file: string | undefined,
  draft: Draft | null,
  explained: Explanation | Dom0Error | null,
): Answer {
  return page(view, {
    title: "Policy",
    facts: `${many(policy.who.length, "key")}, ${many(policy.files.length, "file")}, ${
      many(policy.rules.length, "rule")
    }`,
    main:
      markup`<nav class="tabs" aria-label="Parts"><a href="#who">Who may do what</a><a href="#editor">Policy</a><a href="#explain">Explain</a></nav>
${
        policy.error !== null &&
        markup`<div class="notice bad" role="alert"><div><strong>The policy on the disk has an error.</strong> ${policy.error}. The last good one decides until it is corrected.</div></div>`
      }
${who(view, policy.who)}
<div class="cols gap"><nav class="panel c3" aria-label="Policy files"><header><h2>Files, in order</h2></header>${
        files(policy, file)
      }<p class="body small soft">First match wins. No match is deny. <code>${policy.folder}</code></p></nav>
${editor(view, policy, file, draft)}
${explainPanel(view, policy.who, explained)}</div>`,
  });
}

function who(view: View, all: readonly WhoMay[]): Html {
  if (all.length === 0) {
    return panel(
      { title: "Who may do what", id: "who" },
      empty(
        "No VM is authorised.",
        markup`<span class="soft">A VM is let in by its key: <a href="/keys">Keys</a>.</span>`,
      ),
    );
  }
  const answers = (of: WhoMay["answers"]["shell"]): Content =>
    of.length === 0
      ? markup`<span class="deny">deny</span>`
      : of.map(({ action, where, target }) =>
        markup`<div><span class="${action}">${action}</span> <span class="small soft">${target} <code>${where}</code></span></div>`
      );
  return panel(
    { title: "Who may do what", id: "who", isLive: true, aside: "made from the rules in force" },
    table(
      [
        { name: "VM" },
        { name: "monitor" },
        { name: "manage" },
        { name: "full" },
        { name: "shell" },
        { name: "Key" },
      ],
      all.map(({ vm, fingerprint, answers: by }) => ({
        key: vm,
        cells: [
          qubeLink(view, vm),
          answers(by.monitor),
          answers(by.manage),
          answers(by.full),
          answers(by.shell),
          markup`<a class="small" href="/keys"><code>${fingerprint}</code></a>`,
        ],
      })),
    ),
  );
}

function files({ files, rules }: PolicyState, chosen: string | undefined): Html {
  if (files.length === 0) return empty("There is no file: everything is denied.");
  return markup`<ul class="list">${
    files.map(({ name }) => {
      const own = rules.filter(({ where }) => where.startsWith(`${name}:`)).length;
      return markup`<li><a href="/policy/${encodeURIComponent(name)}#editor"${
        when(name === chosen, markup` aria-current="true"`)
      }><code>${name}</code><span class="small soft">${many(own, "rule")} in force</span></a></li>`;
    })
  }</ul>`;
}

function editor(
  { session, nowMs }: View,
  policy: PolicyState,
  file: string | undefined,
  draft: Draft | null,
): Html {
  const known = policy.files.find(({ name }) => name === file);
  if (known === undefined || file === undefined) {
    return markup`<section class="panel c9 w6" id="editor">${
      empty("There is no such file.", markup`<a href="/policy">All files</a>`)
    }</section>`;
  }
  const text = draft?.text ?? known.text;
  const rows = text.split("\n").length;
  const error = draft?.check.error ?? null;
  const warnings = (draft?.check ?? policy).warnings.filter(({ where }) =>
    where.startsWith(`${file}:`)
  );
  const isBad = error !== null;
  return markup`<section class="panel c9 w6" id="editor"><header><h2>${file}</h2><span class="small soft">${
    draft === null ? "as it is on the disk" : "not saved"
  }</span></header><form class="body stack" method="post" action="/policy/${
    encodeURIComponent(file)
  }#editor">${token(session)}
<div class="lines"><pre aria-hidden="true">${
    lines(Array.from({ length: rows }, (_, index) => String(index + 1)).join("\n"))
  }</pre>${
    textarea(
      markup`name="text" aria-label="Text of ${file}" rows="${rows}" spellcheck="false" wrap="off" aria-describedby="found"${
        when(isBad, markup` aria-invalid="true"`)
      }`,
      text,
    )
  }</div>
<ul id="found" class="stack small">${
    isBad && markup`<li><strong class="bad">Error.</strong> ${error}</li>`
  }${
    warnings.map(({ where, text }) =>
      markup`<li><strong class="wait">Warning.</strong> <code>${where}</code>: ${text}</li>`
    )
  }${
    draft !== null && !isBad && warnings.length === 0 && markup`<li>Nothing is wrong with it.</li>`
  }</ul>
<div class="row"><button class="main" name="what" value="save">Save</button><button name="what" value="check">Check</button><a href="/policy/${
    encodeURIComponent(file)
  }">Go back to the version on the disk</a><span class="small soft">A file with an error is not saved.${
    !isElevated(session, nowMs) && markup` Saving takes <a href="/sessions">elevated mode</a>.`
  }</span></div></form></section>`;
}

function explainPanel(
  view: View,
  all: readonly WhoMay[],
  explained: Explanation | Dom0Error | null,
): Html {
  const { query } = view;
  return markup`<div class="c12 w3"><section class="panel" id="explain"><header><h2>Explain a request</h2></header><div class="body stack"><form class="stack" method="get" action="#explain"><div class="row"><div class="field"><label for="ex-vm">VM</label><select id="ex-vm" name="vm">${
    all.map(({ vm }) =>
      markup`<option${when(query.get("vm") === vm, markup` selected`)}>${vm}</option>`
    )
  }</select></div><div class="field"><label for="ex-words">Command</label><input id="ex-words" name="words" size="26" value="${
    query.get("words") ?? ""
  }" placeholder="qvm-kill work" autocomplete="off" spellcheck="false"></div></div><button>Explain</button></form>${
    explained === null
      ? NOTHING
      : explained instanceof Dom0Error
      ? markup`<p class="bad">${explained.message}</p>`
      : explanation(view, explained)
  }</div></section></div>`;
}

function explanation(view: View, { operation, action, because, steps }: Explanation): Html {
  return markup`<p><code>${operation}</code>: <strong class="${action}">${action}</strong> <span class="soft small">${because}</span></p><ol class="small stack">${
    steps.map(({ target, where, text, passedOver }) =>
      markup`<li>${qube(view, target)} <code>${where}</code> ${
        passedOver === null
          ? markup`<strong>decides</strong>: <code>${text}</code>`
          : markup`<span class="soft">no: ${passedOver}</span>`
      }</li>`
    )
  }</ol>`;
}
