// SPDX-License-Identifier: GPL-2.0-or-later
/** What is set for a qube, on its page: prefs, features, tags, services, each editable. @module */

import type { View } from "../../admin_context.ts";
import { Dom0Error } from "../../channel/dom0_channel.ts";
import { type Content, type Html, markup } from "../../markup/markup.ts";
import type { JsonValue } from "../../../operations/operation.ts";
import { editRow, stageButton } from "../edit_row.ts";
import { empty, panel, table, token, unreadable } from "../parts.ts";

export const PARTS = ["prefs", "tags", "services", "features", "firewall"] as const;
export type Part = typeof PARTS[number];

export const TITLES: Readonly<Record<Part, string>> = {
  prefs: "Prefs",
  tags: "Tags",
  services: "Services",
  features: "Features",
  firewall: "Firewall",
};

/** What could be read of each part; a text where it could not. */
export type Read = Readonly<Record<Part, JsonValue | Dom0Error>>;

/** A part, or why there is none. */
export function part(
  name: Part,
  read: JsonValue | Dom0Error,
  aside: Content,
  show: (value: JsonValue) => Content,
): Html {
  return panel(
    { title: TITLES[name], id: name, isLive: true, aside },
    read instanceof Dom0Error ? unreadable(read.message) : show(read),
  );
}

export type Dictionary = Readonly<Record<string, JsonValue>>;

export function dictionary(value: JsonValue): Dictionary {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Dictionary
    : {};
}

export function prefs(view: View, vm: string, read: JsonValue | Dom0Error): Html {
  return part("prefs", read, "edits are staged, then applied together", (value) =>
    table(
      [{ name: "Property" }, { name: "Value" }, { name: "Note" }, {
        name: "Action",
        look: "num",
        isSilent: true,
      }],
      Object.entries(dictionary(value)).map(([name, property]) => {
        const { value = null, isDefault = false } = dictionary(property);
        return {
          key: name,
          ...editRow(view, vm, {
            name,
            setting: name,
            now: value === null ? "" : String(value),
            note: isDefault === true ? "default" : "",
            set: "vm.prefs.set",
            reset: "vm.prefs.reset",
            resetWord: "Default",
          }),
        };
      }),
      "long edits",
    ));
}

export function features(view: View, vm: string, read: JsonValue | Dom0Error): Html {
  return part("features", read, null, (value) => {
    const all = Object.entries(dictionary(value));
    return markup`${all.length === 0 ? empty("It has no features.") : featureTable(view, vm, all)}${
      comingFeatures(view, vm, all)
    }${newFeature(view, vm)}`;
  });
}

function featureTable(view: View, vm: string, all: readonly [string, JsonValue][]): Html {
  return table(
    [{ name: "Feature" }, { name: "Value" }, { name: "Note" }, {
      name: "Action",
      look: "num",
      isSilent: true,
    }],
    all.map(([name, one]) => ({
      key: name,
      ...editRow(view, vm, {
        name,
        setting: `feature ${name}`,
        now: String(one),
        note: "",
        set: "vm.features.set",
        reset: "vm.features.reset",
        resetWord: "Remove",
      }),
    })),
    "long edits",
  );
}

/** Staged, and not in the table because it is not there yet. */
function comingFeatures(view: View, vm: string, all: readonly [string, JsonValue][]): Html {
  const known = new Set(all.map(([name]) => `feature ${name}`));
  const coming = view.session.staged.filter(({ qube, setting }) =>
    qube === vm && setting.startsWith("feature ") && !known.has(setting)
  );
  return markup`${
    coming.map(({ setting, after }) =>
      markup`<p class="body small"><span class="now">${setting} ${
        after || "empty"
      }</span> <span class="soft">staged</span></p>`
    )
  }`;
}

function newFeature(view: View, vm: string): Html {
  return markup`<form class="row body" method="post" action="/qubes/${
    encodeURIComponent(vm)
  }/stage">${
    token(view.session)
  }<input type="hidden" name="operation" value="vm.features.set"><input type="hidden" name="before" value=""><label class="vh" for="new-feature">New feature</label><input id="new-feature" name="name" size="14" placeholder="New feature" required autocomplete="off" spellcheck="false"><label class="vh" for="new-feature-value">Its value</label><input id="new-feature-value" name="after" size="8" placeholder="value" autocomplete="off" spellcheck="false"><button class="lean">Add<span class="vh"> the feature</span></button></form>`;
}

export function tags(view: View, vm: string, read: JsonValue | Dom0Error): Html {
  return part("tags", read, "rules go by tags", (value) => {
    const all = Array.isArray(value) ? value.map(String) : [];
    const stagedNow = view.session.staged.filter((one) =>
      one.qube === vm && one.setting.startsWith("tag ")
    );
    return markup`<div class="body stack">${
      all.length === 0
        ? markup`<p class="soft">It has no tags.</p>`
        : markup`<ul class="row">${
          all.map((tag) =>
            markup`<li class="row"><span class="tag"><bdi>${tag}</bdi></span>${
              stageButton(view, vm, {
                operation: "vm.tags.remove",
                name: tag,
                words: markup`Remove<span class="vh"> tag ${tag}</span>`,
              })
            }</li>`
          )
        }</ul>`
    }${
      stagedNow.map(({ setting, after }) =>
        markup`<p class="small"><span class="${
          after === "present" ? "now" : "was"
        }">${setting}</span> <span class="soft">staged</span></p>`
      )
    }
<form class="row" method="post" action="/qubes/${encodeURIComponent(vm)}/stage">${
      token(view.session)
    }<input type="hidden" name="operation" value="vm.tags.add"><label class="vh" for="new-tag">New tag</label><input id="new-tag" name="name" size="14" placeholder="New tag" required autocomplete="off"><button class="lean">Add<span class="vh"> the tag</span></button></form></div>`;
  });
}

export function services(view: View, vm: string, read: JsonValue | Dom0Error): Html {
  return part("services", read, "taken up at the next start", (value) => {
    const all = Object.entries(dictionary(value));
    return markup`<div class="body stack">${
      all.length === 0
        ? markup`<p class="soft">None is set: the template decides.</p>`
        : markup`<ul class="stack">${
          all.map(([name, on]) => {
            const isOn = on === "on";
            const staged = view.session.staged.find((one) =>
              one.qube === vm && one.setting === `service ${name}`
            );
            return markup`<li class="row"><code>${name}</code> ${
              staged === undefined
                ? markup`<span>${isOn ? "on" : "off"}</span>${
                  stageButton(view, vm, {
                    operation: isOn ? "vm.services.disable" : "vm.services.enable",
                    name,
                    words: markup`Turn ${isOn ? "off" : "on"}<span class="vh"> ${name}</span>`,
                  })
                }${
                  stageButton(view, vm, {
                    operation: "vm.services.reset",
                    name,
                    before: isOn ? "on" : "off",
                    words: markup`Default<span class="vh"> for ${name}</span>`,
                  })
                }`
                : markup`<span class="was">${staged.before}</span> <span class="now">${staged.after}</span> <span class="soft small">staged</span>`
            }</li>`;
          })
        }</ul>`
    }<form class="row" method="post" action="/qubes/${encodeURIComponent(vm)}/stage">${
      token(view.session)
    }<input type="hidden" name="operation" value="vm.services.enable"><label class="vh" for="new-service">New service</label><input id="new-service" name="name" size="14" placeholder="Service" required autocomplete="off"><button class="lean">Turn on</button></form></div>`;
  });
}
