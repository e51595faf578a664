// SPDX-License-Identifier: GPL-2.0-or-later
/** Qrexec policies: the files of /etc/qubes/policy.d, to read. @module */

import { type Admin, askerOf, viewOf } from "../admin_context.ts";
import { Dom0Error, type RunResult } from "../channel/dom0_channel.ts";
import { type Html, lines, markup, when } from "../markup/markup.ts";
import type { Route } from "../server/router.ts";
import { page } from "./layout.ts";
import { count, empty, many } from "./parts.ts";

export function qrexecRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/qrexec",
    access: "session",
    async answer(asked) {
      const by = askerOf(asked.session);
      const [view, names] = await Promise.all([viewOf(admin, asked), fileNames(admin, by)]);
      const wanted = asked.query.get("file");
      const file = names.find((name) => name === wanted) ?? names[0];
      const text = file === undefined ? null : await admin.channel.run("policy.read", { file }, by);
      return page(view, {
        title: "Qrexec policies",
        facts:
          "Which call of a qube to another is let through. Read here, edited in dom0’s terminal.",
        main:
          markup`<div class="cols"><nav class="panel c3" aria-label="Files"><header><h2>Files, in order</h2><span class="small soft">${
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
          }</h2></header><div class="body">${text !== null && content(text)}</div></section></div>`,
      });
    },
  }];
}

async function fileNames({ channel }: Admin, by: string): Promise<readonly string[]> {
  const { exitCode, stderr, value } = await channel.run("policy.list", {}, by);
  if (exitCode !== 0) throw new Dom0Error(stderr.trim() || "the policies cannot be listed");
  return Array.isArray(value) ? value.map(String).filter((name) => name.endsWith(".policy")) : [];
}

function content({ exitCode, stdout, stderr }: RunResult): Html {
  if (exitCode !== 0) return markup`<p class="bad">It cannot be read: ${stderr.trim()}</p>`;
  const rules = stdout.split("\n").filter((line) => /^[^#\s]/.test(line)).length;
  return markup`<p class="small soft">${
    many(rules, "line")
  } that are no comment; the first that matches decides</p><pre tabindex="0" aria-label="Text">${
    lines(stdout)
  }</pre>`;
}
