// SPDX-License-Identifier: GPL-2.0-or-later
/** Where the files of a folder are copied to, and how that is chosen. @module */

import type { View } from "../../admin_context.ts";
import { Dom0Error } from "../../channel/dom0_channel.ts";
import { type Content, type Html, markup, when } from "../../markup/markup.ts";
import { empty, panel, qube, token, unreadable } from "../parts.ts";
import { asFields, type Listing } from "./listing.ts";
import { type Files, filesPath, parentOf, pathIn, QUBE_START, runningQubes } from "./place.ts";

/** What the button of each file says; null: it is not chosen where to. */
export function copyLabel({ to }: Files): Content | null {
  return to === undefined ? null : markup`<span>Copy to <bdi>${to ?? "dom0"}</bdi></span>`;
}

/**
 * @param home the folder of dom0's that is meant if none is given
 * @param picked what is in the folder files.pick
 */
export function copyPanel(view: View, files: Files, home: string, picked: Listing | null): Html {
  const { vm, to } = files;
  return panel(
    { title: "Copy files to" },
    markup`<div class="body stack">${chooser(view, files)}${
      to === undefined
        ? markup`<p class="small soft">${
          vm === null
            ? "Choose the qube that gets files of this folder. It can read them from then on."
            : "Choose another place than the one they are in."
        }</p>`
        : markup`${target(view, files, home)}<form id="copy" method="post" action="/files">${
          token(view.session)
        }<input type="hidden" name="what" value="copy">${
          Object.entries(asFields({ ...files, pick: null })).map(([name, value]) =>
            markup`<input type="hidden" name="${name}" value="${value}">`
          )
        }</form>`
    }${files.pick !== null && to !== undefined && chooseFolder(files, files.pick, picked)}</div>`,
  );
}

function chooser(view: View, { vm, path, to, into }: Files): Html {
  const places = [...vm === null ? [] : ["dom0"], ...runningQubes(view)].filter((name) =>
    name !== vm
  );
  const chosen = to === undefined ? "" : to ?? "dom0";
  return markup`<form class="filters tight" method="get" action="/files">${
    vm !== null && markup`<input type="hidden" name="vm" value="${vm}">`
  }<input type="hidden" name="path" value="${path}"><div class="field"><label for="to">Place</label><select id="to" name="to" required>${
    to === undefined && markup`<option value="">Choose…</option>`
  }${
    [...places, ...chosen !== "" && !places.includes(chosen) ? [chosen] : []].map((name) =>
      markup`<option value="${name}"${when(name === chosen, markup` selected`)}>${name}</option>`
    )
  }</select></div><div class="field grow"><label for="into">Folder</label><input id="into" name="into" value="${into}" size="18" placeholder="QubesIncoming" autocomplete="off" spellcheck="false"></div><button>Set</button></form>`;
}

function target(view: View, files: Files, home: string): Html {
  const { vm, to, into } = files;
  const start = into !== "" ? into : to === null ? home : QUBE_START;
  const folder = into === "" && to !== null
    ? `~/QubesIncoming/${vm ?? "dom0"}`
    : into === ""
    ? incomingFolder(home, vm ?? "")
    : into;
  return markup`<p>Into <code>${folder}</code> of ${qube(view, to ?? null)}. <a href="${
    filesPath(files, { pick: start })
  }#pick">Choose another folder…</a></p>
<p class="small soft">Never over a file that is there. It is private to its user, and cannot be run. Both ends compute the SHA-256, and a copy stays only if they are the same.</p>`;
}

/** As in a qube: what comes from one lies there. */
export function incomingFolder(home: string, vm: string): string {
  return `${home}/QubesIncoming/${vm}`;
}

function chooseFolder(files: Files, pick: string, picked: Listing | null): Html {
  const up = parentOf(pick);
  const folders = picked instanceof Dom0Error || picked === null
    ? []
    : picked.flatMap(({ type, name }) => {
      const path = type === "d" ? pathIn(pick, name) : null;
      return path === null ? [] : [{ name, path }];
    });
  return markup`<section id="pick" class="pick stack" aria-label="Folders of ${
    files.to ?? "dom0"
  }"><div class="row"><h3><code>${pick}</code></h3><a class="btn lean push" href="${
    filesPath(files, { into: pick, pick: null })
  }">Use this folder</a></div>${
    picked instanceof Dom0Error
      ? unreadable(picked.message)
      : folders.length === 0 && up === null && empty("It has no folders.")
  }<ul class="list">${
    up !== null && markup`<li><a href="${filesPath(files, { pick: up })}#pick">.. (up)</a></li>`
  }${
    folders.map(({ name, path }) =>
      markup`<li><a href="${
        filesPath(files, { pick: path })
      }#pick"><span><bdi>${name}</bdi>/</span></a></li>`
    )
  }</ul></section>`;
}
