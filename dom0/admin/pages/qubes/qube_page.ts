// SPDX-License-Identifier: GPL-2.0-or-later
/** One qube: prefs, tags, services, features and firewall, each editable. @module */

import { type Admin, askerOf, type View, viewOf } from "../../admin_context.ts";
import { Dom0Error, orProblem, type RunResult } from "../../channel/dom0_channel.ts";
import { type Html, markup, NOTHING, when } from "../../markup/markup.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { JsonValue } from "../../../operations/operation.ts";
import { parseVmName } from "../../../../shared/protocol/vm_name.ts";
import { ProtocolError } from "../../../../shared/protocol/refusal.ts";
import type { Route } from "../../server/router.ts";
import { stageEdit } from "../edit_row.ts";
import { page } from "../layout.ts";
import { panel, postButton, power, qube, token } from "../parts.ts";
import { changeDevice, devicesPart, readDevices } from "./device_part.ts";
import { firewall, stageRule } from "./firewall_part.ts";
import {
  features,
  type Part,
  PARTS,
  prefs,
  type Read,
  services,
  tags,
  TITLES,
} from "./qube_parts.ts";

export function qubeRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/qubes/:vm",
    access: "session",
    answer: (asked) => qubePage(admin, asked),
  }, {
    method: "POST",
    path: "/qubes/:vm/stage",
    access: "session",
    answer: (asked) => stageEdit(nameOf(asked), asked),
  }, {
    method: "POST",
    path: "/qubes/:vm/rule",
    access: "session",
    answer(asked) {
      const vm = nameOf(asked);
      const problem = stageRule(asked.session, vm, asked.form);
      if (problem !== null) asked.session.notices.push({ kind: "bad", text: problem });
      return seeOther(`/qubes/${encodeURIComponent(vm)}#firewall`);
    },
  }, {
    method: "POST",
    path: "/qubes/:vm/device",
    access: "session",
    answer: (asked) => changeDevice(admin, nameOf(asked), asked),
  }];
}

async function readParts({ channel }: Admin, vm: string, by: string): Promise<Read> {
  const read = async (part: Part): Promise<readonly [Part, JsonValue | Dom0Error]> => [
    part,
    await orProblem(channel.run(`vm.${part}.list`, { vm }, by).then(valueOf)),
  ];
  return Object.fromEntries(await Promise.all(PARTS.map(read))) as Read;
}

function valueOf({ exitCode, stderr, value }: RunResult): JsonValue {
  if (exitCode !== 0) throw new Dom0Error(stderr.trim() || `it failed with code ${exitCode}`);
  return value;
}

async function qubePage(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const vm = nameOf(asked);
  const by = askerOf(asked.session);
  const [view, read, devices] = await Promise.all([
    viewOf(admin, asked),
    readParts(admin, vm, by),
    readDevices(admin, by),
  ]);
  const known = view.qubes.byName.get(vm);
  if (known === undefined) throw new HttpError(404, `dom0 has no qube ${vm}`);
  return page(view, {
    title: vm,
    heading: qube(view, vm),
    facts: markup`${power(known.state)} ${known.class}${
      known.template !== null && markup` of ${known.template}`
    }, label ${known.label}`,
    actions: buttons(view, vm, known.state, known.class),
    main: markup`<nav class="tabs" aria-label="Parts of ${vm}">${
      PARTS.map((part) => markup`<a href="#${part}">${TITLES[part]}</a>`)
    }<a href="#devices">Devices</a><a href="/logs?vm=${encodeURIComponent(vm)}">Records</a></nav>
<div class="cols"><div class="c7 stack">${prefs(view, vm, read.prefs)}${
      firewall(view, vm, read.firewall)
    }${devicesPart(view, vm, { isRunning: known.state === "Running", devices })}</div>
<div class="c5 stack">${tags(view, vm, read.tags)}${services(view, vm, read.services)}${
      features(view, vm, read.features)
    }${remove(vm, known.class)}</div></div>`,
    dialogs: dialogs(view, vm),
  });
}

function nameOf({ named }: AskedBySession): string {
  try {
    return parseVmName(named["vm"] ?? "");
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new HttpError(404, "that is not the name of a qube");
  }
}

function buttons(view: View, vm: string, state: string, of: string): Html {
  if (of === "AdminVM") return NOTHING;
  const press = (operation: string, words: string, look = ""): Html =>
    postButton(view.session, `/qubes/${encodeURIComponent(vm)}/power`, { operation }, words, look);
  if (state === "Halted") return press("vm.start", "Start", "main");
  if (state === "Paused") return markup`${press("vm.unpause", "Resume", "main")}${killButton(vm)}`;
  return markup`${press("vm.restart", "Restart")}${press("vm.pause", "Pause")}${
    press("vm.shutdown", "Shut down")
  }${killButton(vm)}`;
}

function killButton(vm: string): Html {
  return markup`<a class="btn danger" role="button" href="/qubes/${
    encodeURIComponent(vm)
  }?dialog=kill" data-open="kill">Kill…</a>`;
}

function remove(vm: string, of: string): Html {
  if (of === "AdminVM") return NOTHING;
  const execute = (operation: string): string =>
    `/execute?operation=${operation}&vm=${encodeURIComponent(vm)}`;
  return panel(
    { title: "Rename, clone, remove" },
    markup`<div class="body row"><a class="btn" href="${
      execute("vm.rename")
    }">Rename…</a><a class="btn" href="${
      execute("vm.clone")
    }">Clone…</a><a class="btn danger" role="button" href="/qubes/${
      encodeURIComponent(vm)
    }?dialog=remove" data-open="remove">Remove…</a></div>`,
  );
}

function dialogs(view: View, vm: string): Html {
  const action = `/qubes/${encodeURIComponent(vm)}/power`;
  const isOpen = (name: string): Html => when(view.query.get("dialog") === name, markup` open`);
  const cancel = markup`<a class="btn" href="/qubes/${
    encodeURIComponent(vm)
  }" data-close autofocus>Cancel</a>`;
  return markup`<dialog id="kill" aria-labelledby="kill-h"${
    isOpen("kill")
  }><form method="post" action="${action}">${token(view.session)}
<h2 id="kill-h">Kill ${
    qube(view, vm)
  }?</h2><div><p>It ends at once, as if its power were cut. What it has not saved is lost. Shutting it down takes a moment and loses nothing.</p></div>
<footer>${cancel}<button name="operation" value="vm.shutdown">Shut down instead</button><button class="alarm" name="operation" value="vm.kill">Kill</button></footer></form></dialog>
<dialog id="remove" aria-labelledby="remove-h"${
    isOpen("remove")
  }><form method="post" action="${action}">${
    token(view.session)
  }<input type="hidden" name="operation" value="vm.remove">
<h2 id="remove-h">Remove ${qube(view, vm)}?</h2>
<div class="stack"><p>All its data is destroyed. This cannot be undone.</p>
<div class="field"><label for="remove-name">Type <code>${vm}</code> to remove it</label><input id="remove-name" name="name" autocomplete="off" spellcheck="false" data-word="${vm}" data-for="remove-go"></div></div>
<footer>${cancel}<button id="remove-go" class="alarm">Remove ${vm}</button></footer></form></dialog>`;
}
