// SPDX-License-Identifier: GPL-2.0-or-later
/** The forms of a backup of qubes: where to, and from where back. @module */

import { isElevated, type View } from "../../admin_context.ts";
import { type Content, type Html, markup, when } from "../../markup/markup.ts";
import { panel, token } from "../parts.ts";

type Choice = readonly (readonly [word: string, text: string])[];

/** What to do with a qube whose name is taken; the words are parameters of backup.restore. */
const TAKEN: Choice = [
  ["", "restore nothing, and say so"],
  ["skip_conflicting", "leave that qube out"],
  ["rename_conflicting", "give it another name"],
];
/** And with one whose template or netvm is missing. */
const MISSING: Choice = [
  ["", "restore nothing, and say so"],
  ["ignore_missing", "use the default ones"],
  ["skip_broken", "leave that qube out"],
];
export const NAMES_TAKEN: ReadonlySet<string> = new Set(TAKEN.map(([word]) => word));
export const NOT_THERE: ReadonlySet<string> = new Set(MISSING.map(([word]) => word));

/** What was typed is still there after a form that began nothing. */
function typed({ query }: View, isOfThisForm: boolean): (name: string) => string {
  return (name) => isOfThisForm ? query.get(name) ?? "" : "";
}

export function backupForm(view: View): Html {
  const value = typed(view, !isRestore(view));
  return panel(
    { title: "Back up qubes", id: "backup" },
    markup`<form class="body stack" method="post" action="/backup">${token(view.session)}
${place(view, { id: "dest_vm", label: "Into", chosen: value("dest_vm") })}
${
      text({
        id: "location",
        name: "location",
        value: value("location"),
        label: "Folder to write to",
        hint: "/mnt/backup",
        isNeeded: true,
      })
    }
${passphrase("passphrase_file", value("passphrase_file"))}
<div class="row">${
      text({ id: "vms", name: "vms", value: value("vms"), label: "Only these qubes", hint: "all" })
    }${
      text({
        id: "exclude",
        name: "exclude",
        value: value("exclude"),
        label: "Leave out",
        hint: "none",
      })
    }</div>
<div class="row"><button class="main" name="what" value="start">Back up</button></div>
<p class="small soft">It takes long, and goes on when this page is closed; <a href="/execute">Execute</a> and the log have how it ends.</p></form>`,
  );
}

export function restoreForm(view: View): Html {
  const value = typed(view, isRestore(view));
  const mayRestore = isElevated(view.session, view.nowMs);
  return panel(
    { title: "Check or restore a backup", id: "restore" },
    markup`<form class="body stack" method="post" action="/backup">${token(view.session)}
${place(view, { id: "from_vm", label: "It is in", chosen: value("dest_vm") })}
${
      text({
        id: "from",
        name: "location",
        value: value("location"),
        label: "The backup",
        hint: "/mnt/backup/qubes-backup-2026-11-28T143107",
        isNeeded: true,
      })
    }
${passphrase("from_passphrase", value("passphrase_file"))}
<div class="row"><button name="what" value="verify">Check it</button><span class="small soft">Reads all of it and says what it holds. Nothing is restored.</span></div>
<h3>To restore</h3>
<div class="row">${
      text({
        id: "from_vms",
        name: "vms",
        value: value("vms"),
        label: "Only these qubes",
        hint: "all",
      })
    }${
      text({
        id: "from_exclude",
        name: "exclude",
        value: value("exclude"),
        label: "Leave out",
        hint: "none",
      })
    }</div>
<div class="row">${choice("taken", "If a name is taken", TAKEN, value)}${
      choice("missing", "If a template or netvm is missing", MISSING, value)
    }</div>
<div class="row"><button class="danger" name="what" value="restore">Restore</button><span class="small soft">Qubes are added; those that are there stay as they are, and so does dom0’s home.${
      !mayRestore &&
      markup` Restored qubes bring their tags, which rules may be about: it takes <a href="/sessions">elevated mode</a>.`
    }</span></div></form>`,
  );
}

function isRestore({ query }: View): boolean {
  return query.get("part") === "restore";
}

interface PlaceField {
  readonly id: string;
  readonly label: string;
  readonly chosen: string;
}

function place({ qubes }: View, { id, label, chosen }: PlaceField): Html {
  const running = qubes.qubes.filter(({ state: of, class: kind }) =>
    of === "Running" && kind !== "AdminVM"
  ).map(({ name }) => name).sort();
  return markup`<div class="field"><label for="${id}">${label}</label><select id="${id}" name="dest_vm"><option value="">dom0</option>${
    running.map((name) =>
      markup`<option${when(chosen === name, markup` selected`)}>${name}</option>`
    )
  }</select><small>A qube that runs, such as the one that has the disk.</small></div>`;
}

function passphrase(id: string, value: string): Html {
  return text({
    id,
    name: "passphrase_file",
    value,
    label: "File in dom0 with the passphrase",
    hint: "/root/backup-passphrase",
    isNeeded: true,
    about:
      markup`One line, readable by root alone. In dom0’s terminal: <code>sudo sh -c 'umask 077; cat &gt; /root/backup-passphrase'</code>, type it, Enter, Ctrl-D.`,
  });
}

interface TextField {
  readonly id: string;
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly hint: string;
  readonly isNeeded?: boolean;
  readonly about?: Content;
}

function text({ id, name, label, value, hint, isNeeded = false, about }: TextField): Html {
  return markup`<div class="field"><label for="${id}">${label}${
    !isNeeded && markup` <span class="soft">(optional)</span>`
  }</label><input id="${id}" name="${name}" size="${
    isNeeded ? 34 : 22
  }" value="${value}" placeholder="${hint}" autocomplete="off" spellcheck="false"${
    when(isNeeded, markup` required`)
  }>${about !== undefined && markup`<small>${about}</small>`}</div>`;
}

function choice(
  name: string,
  label: string,
  choices: Choice,
  value: (name: string) => string,
): Html {
  return markup`<div class="field"><label for="${name}">${label}</label><select id="${name}" name="${name}">${
    choices.map(([word, text]) =>
      markup`<option value="${word}"${
        when(word !== "" && value(word) === "true", markup` selected`)
      }>${text}</option>`
    )
  }</select></div>`;
}
