// SPDX-License-Identifier: GPL-2.0-or-later
/** Qrexec policies: the files of /etc/qubes/policy.d, to read; and which rule would decide a call. @module */

import { type Admin, askerOf, type View, viewOf } from "../admin_context.ts";
import { Dom0Error, orProblem, type RunResult } from "../channel/dom0_channel.ts";
import type { CallVerdict } from "../channel/qrexec_channel.ts";
import { type Content, type Html, lines, markup, when } from "../markup/markup.ts";
import type { Route } from "../server/router.ts";
import { page } from "./layout.ts";
import { count, empty, many, panel, qube } from "./parts.ts";

export function qrexecRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/qrexec",
    access: "session",
    async answer(asked) {
      const by = askerOf(asked.session);
      const [view, names, verdict] = await Promise.all([
        viewOf(admin, asked),
        fileNames(admin, by),
        explained(admin, asked.query),
      ]);
      const wanted = asked.query.get("file");
      const decidedBy = decidingFile(verdict);
      const file = names.find((name) => name === (wanted ?? decidedBy)) ?? names[0];
      const text = file === undefined ? null : await admin.channel.run("policy.read", { file }, by);
      return page(view, {
        title: "Qrexec policies",
        facts:
          "Which call of a qube to another is let through. Read here, edited in dom0’s terminal.",
        main: markup`${
          which(view, verdict)
        }<div class="cols gap"><nav class="panel c3" aria-label="Files"><header><h2>Files, in order</h2><span class="small soft">${
          count(names.length)
        }</span></header>${
          names.length === 0
            ? empty("There is no file.")
            : markup`<ul class="list">${
              names.map((name) =>
                markup`<li><a href="/qrexec?file=${encodeURIComponent(name)}"${
                  when(name === file, markup` aria-current="true"`)
                }><code>${name}</code></a></li>`
              )
            }</ul>`
        }</nav><section class="panel c9" aria-label="File"><header><h2>${
          file ?? "No file"
        }</h2></header><div class="body">${
          text !== null && content(text, lineOf(verdict, file))
        }</div></section></div>`,
      });
    },
  }];
}

async function fileNames({ channel }: Admin, by: string): Promise<readonly string[]> {
  const { exitCode, stderr, value } = await channel.run("policy.list", {}, by);
  if (exitCode !== 0) throw new Dom0Error(stderr.trim() || "the policies cannot be listed");
  return Array.isArray(value) ? value.map(String).filter((name) => name.endsWith(".policy")) : [];
}

async function explained(
  { channel }: Admin,
  query: URLSearchParams,
): Promise<CallVerdict | Dom0Error | null> {
  const [source, target, service] = ["source", "target", "service"].map((name) =>
    (query.get(name) ?? "").trim()
  );
  if (!source || !target || !service) return null;
  return await orProblem(channel.explainCall({ source, target, service }));
}

const KEYWORDS: readonly (readonly [word: string, about: string])[] = [
  ["@default", "no target named"],
  ["@adminvm", "dom0"],
  ["@dispvm", "a new disposable"],
];

/** Which rule would decide: a call is described, not made. */
function which(view: View, verdict: CallVerdict | Dom0Error | null): Html {
  const { query, qubes } = view;
  const names = qubes.qubes.filter((one) => one.class !== "AdminVM").map(({ name }) => name).sort();
  const options = (key: string): Content =>
    names.map((name) =>
      markup`<option${when(query.get(key) === name, markup` selected`)}>${name}</option>`
    );
  return panel(
    { title: "Which rule would decide", id: "which", aside: "nothing is called" },
    markup`<form class="body filters" method="get" action="/qrexec"><div class="field"><label for="source">From</label><select id="source" name="source">${
      options("source")
    }</select></div><div class="field"><label for="service">Service, with +argument</label><input id="service" name="service" required size="26" value="${
      query.get("service") ?? ""
    }" placeholder="qubes.ConnectTCP+22" autocomplete="off" spellcheck="false"></div><div class="field"><label for="target">To</label><select id="target" name="target"><optgroup label="Words">${
      KEYWORDS.map(([word, about]) =>
        markup`<option value="${word}"${
          when(query.get("target") === word, markup` selected`)
        }>${word}, ${about}</option>`
      )
    }</optgroup><optgroup label="Qubes">${
      options("target")
    }</optgroup></select></div><button>Explain</button></form>${
      verdict !== null && markup`<div class="body" id="verdict">${answer(view, verdict)}</div>`
    }`,
  );
}

function answer(view: View, verdict: CallVerdict | Dom0Error): Html {
  if (verdict instanceof Dom0Error) return markup`<p class="bad">${verdict.message}</p>`;
  const { verdict: word, targets, at, why } = verdict;
  const to = targets.map((name, index) => [
    index > 0 && ", ",
    name === "@adminvm" ? qube(view, null) : name.startsWith("@") ? name : qube(view, name),
  ]);
  return markup`<p><strong class="${word}">${word}</strong>${
    targets.length > 0 && markup`, ${word === "ask" ? "a person chooses among" : "to"} ${to}`
  }</p><p class="small">${
    at === null
      ? "No rule matches it, and what no rule matches is denied."
      : markup`Decided by <code>${at}</code>`
  }${why !== "" && markup` <span class="soft">${why}</span>`}</p>`;
}

/** The file in which the rule stands is the one that is shown. */
function decidingFile(verdict: CallVerdict | Dom0Error | null): string | undefined {
  if (verdict === null || verdict instanceof Dom0Error) return undefined;
  return /\/([^/:]+):\d+$/.exec(verdict.at ?? "")?.[1];
}

/** The line of this file that decided; null for none. */
function lineOf(
  verdict: CallVerdict | Dom0Error | null,
  file: string | undefined,
): number | null {
  if (verdict === null || verdict instanceof Dom0Error || file === undefined) return null;
  const [, name, line] = /\/([^/:]+):(\d+)$/.exec(verdict.at ?? "") ?? [];
  return name === file ? Number(line) : null;
}

function content({ exitCode, stdout, stderr }: RunResult, decided: number | null): Html {
  if (exitCode !== 0) return markup`<p class="bad">It cannot be read: ${stderr.trim()}</p>`;
  const all = stdout.trimEnd().split("\n");
  const rules = all.filter((line) => /^[^#\s]/.test(line)).length;
  return markup`<p class="small soft">${
    many(rules, "rule")
  }; the first that matches decides</p><pre tabindex="0" aria-label="Text">${
    all.map((line, index) =>
      index + 1 === decided ? markup`<mark>${lines(line)}</mark>${lines("\n")}` : lines(`${line}\n`)
    )
  }</pre>`;
}
