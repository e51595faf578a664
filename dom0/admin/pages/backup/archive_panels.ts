// SPDX-License-Identifier: GPL-2.0-or-later
/** Archives of the configuration: made here, and taken back in after a look at what that changes. @module */

import { isElevated, type View } from "../../admin_context.ts";
import { textDiff } from "../../../operator/text_diff.ts";
import { Dom0Error } from "../../channel/dom0_channel.ts";
import type { ArchivedItem, ArchiveHead, ArchiveLook } from "../../../operator/config_archives.ts";
import { type Content, type Html, markup, when } from "../../markup/markup.ts";
import { diff, empty, many, panel, qube, table, time, token, unreadable } from "../parts.ts";

export interface Archives {
  readonly all:
    | { readonly folder: string; readonly archives: readonly ArchiveHead[] }
    | Dom0Error;
  readonly chosen: ChosenArchive | null;
}

export interface ChosenArchive {
  readonly name: string;
  readonly withKeys: boolean;
  readonly look: ArchiveLook | Dom0Error;
}

export function archivesPanel(view: View, all: Archives["all"]): Html {
  const parts = { title: "Configuration", id: "archives" };
  if (all instanceof Dom0Error) return panel(parts, unreadable(all.message));
  return panel(
    parts,
    markup`<form class="body stack" method="post" action="/backup/archive">${token(view.session)}
<p>One file in dom0 with <code>remote.conf</code>, the files of policy, which VM has which key by its fingerprint, and the list of qubes.</p>
<label class="check"><input type="checkbox" name="keys" value="yes"> With the keys themselves</label>
<p class="small soft">Whoever reads a file with the keys can send requests as those VMs. It is root’s alone in <code>${all.folder}</code>; where you carry it is yours to guard.</p>
<div class="row"><button>Make an archive</button></div></form>${
      all.archives.length === 0 ? empty("There is no archive yet.") : table(
        [{ name: "Made" }, { name: "Keys" }, { name: "Size", look: "num" }, {
          name: "Action",
          look: "num",
          isSilent: true,
        }],
        all.archives.map(({ name, madeMs, hasKeys, bytes }) => ({
          key: name,
          cells: [
            markup`<span title="${name}">${time(madeMs, view.nowMs)}</span>`,
            hasKeys ? markup`<strong>in it</strong>` : "not in it",
            `${Math.ceil(bytes / 1024)} KB`,
            markup`<a class="btn lean" href="/backup?archive=${
              encodeURIComponent(name)
            }#archive">Look<span class="vh"> at ${name}</span></a>`,
          ],
        })),
      )
    }`,
  );
}

/** What it would change, and the button that does it. */
export function lookPanel(view: View, { name, withKeys, look }: ChosenArchive): Html {
  const parts = { title: markup`<code>${name}</code>`, id: "archive", aside: "nothing is changed" };
  if (look instanceof Dom0Error) return panel(parts, unreadable(look.message));
  const { items, same, stays, mark } = look;
  return panel(
    parts,
    markup`<div class="body stack"><p>${many(items.length, "thing")} would change, ${
      many(same, "is", "are")
    } the same already. ${
      withKeys
        ? markup`Keys are taken in, too.`
        : markup`Keys stay as they are; <a href="/backup?archive=${
          encodeURIComponent(name)
        }&keys=yes#archive">look with its keys</a>.`
    }</p>${items.map((item) => changeOf(view, item))}${
      stays.length > 0 &&
      markup`<p class="small soft">Not in the archive, and stays: ${
        stays.map((one, index) => [index > 0 && ", ", markup`<code>${one}</code>`])
      }.</p>`
    }</div>${
      items.length > 0 &&
      markup`<form class="verdict" method="post" action="/backup/take-in">${
        token(view.session)
      }<input type="hidden" name="name" value="${name}"><input type="hidden" name="mark" value="${mark}">${
        when(withKeys, markup`<input type="hidden" name="keys" value="yes">`)
      }<button class="danger">Take it in</button><a class="btn" href="/backup#archives">Cancel</a><span class="small soft">What is there goes into an archive first.${
        !isElevated(view.session, view.nowMs) &&
        markup` It takes <a href="/sessions">elevated mode</a>.`
      }</span></form>`
    }${removal(view, name)}`,
  );
}

function removal({ session }: View, name: string): Html {
  return markup`<details class="body" id="remove-archive"><summary>Remove this archive…</summary><form class="stack" method="post" action="/backup/remove-archive">${
    token(session)
  }<input type="hidden" name="name" value="${name}"><div class="field"><label for="remove-word">Type <code>${name}</code> to remove it</label><input id="remove-word" name="word" size="34" autocomplete="off" spellcheck="false" data-word="${name}" data-for="remove-archive-go"><small>This cannot be undone.</small></div><div><button class="danger" id="remove-archive-go">Remove it</button></div></form></details>`;
}

function changeOf(view: View, { what, name, before, after }: ArchivedItem): Content {
  if (what === "key") {
    return markup`<h3>Key of ${qube(view, name)}</h3>${
      diff(
        [
          ...before === null ? [] : [{ kind: "removed", text: before } as const],
          { kind: "added", text: after },
        ],
        `Fingerprint of the key of ${name}`,
      )
    }`;
  }
  const title = what === "policy" ? name : what;
  return markup`<h3><code>${title}</code>${
    before === null && markup` <span class="soft">is not there now</span>`
  }</h3>${diff(textDiff(before ?? "", after), `Change of ${title}`)}`;
}
