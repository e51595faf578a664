// SPDX-License-Identifier: GPL-2.0-or-later
/** The firewall on a qube's page: its rules in order, and edits of them that are staged. @module */

import type { View } from "../../admin_context.ts";
import type { Dom0Error } from "../../channel/dom0_channel.ts";
import { type Html, markup } from "../../markup/markup.ts";
import type { Form } from "../../server/http_message.ts";
import type { JsonValue } from "../../../operations/operation.ts";
import { RULE_ADD, RULE_REMOVE } from "../../../admin_orders/setting_text.ts";
import { shownValue } from "../../../operations/shown_value.ts";
import { addedRule, removedRule, RULE_FIELDS } from "../../staged/firewall_rule.ts";
import { putOnList } from "../../staged/stage.ts";
import type { Session } from "../../server/sessions.ts";
import { empty, table, token } from "../parts.ts";
import { type Dictionary, dictionary, part } from "./qube_parts.ts";

export function firewall(view: View, vm: string, read: JsonValue | Dom0Error): Html {
  return part("firewall", read, "in order; the first rule that matches decides", (value) => {
    const rules = Array.isArray(value) ? value.map(dictionary) : [];
    return markup`${
      rules.length === 0 ? empty("It has no rules.") : table(
        [
          { name: "No", look: "num" },
          { name: "Action" },
          { name: "Host" },
          { name: "Protocol" },
          { name: "Ports" },
          { name: "Comment" },
          { name: "Edit", look: "num", isSilent: true },
        ],
        rules.map((rule, index) => row(view, vm, rule, index)),
        "edits",
      )
    }${comingRules(view, vm)}${addForm(view, vm, rules.length)}`;
  });
}

function row(view: View, vm: string, rule: Dictionary, index: number) {
  const cell = (...names: string[]): string =>
    names.map((name) => rule[name]).filter((one) => one !== undefined).map(String).join(" ");
  const goes = view.session.staged.some(({ qube, operation, values }) =>
    qube === vm && operation === RULE_REMOVE && values["rule_no"] === String(index)
  );
  return {
    key: String(index),
    cells: [
      index,
      cell("action"),
      cell("dsthost", "dst4", "dst6", "specialtarget") || "any",
      cell("proto", "icmptype"),
      cell("dstports").replace(/^(\d+)-\1$/, "$1"),
      cell("comment"),
      goes
        ? markup`<span class="was">goes</span> <span class="soft small">staged</span>`
        : removeForm(view, vm, rule, index),
    ],
  };
}

function removeForm({ session }: View, vm: string, rule: Dictionary, index: number): Html {
  return markup`<form method="post" action="/qubes/${encodeURIComponent(vm)}/rule">${
    token(session)
  }<input type="hidden" name="operation" value="${RULE_REMOVE}"><input type="hidden" name="number" value="${index}"><input type="hidden" name="text" value="${
    shownValue(rule)
  }"><button class="lean">Remove<span class="vh"> rule ${index}</span></button></form>`;
}

function comingRules({ session }: View, vm: string): Html {
  return markup`${
    session.staged.filter(({ qube, operation }) => qube === vm && operation === RULE_ADD).map((
      { setting, after },
    ) =>
      markup`<p class="body small"><span class="now">${setting}</span> ${after} <span class="soft">staged</span></p>`
    )
  }`;
}

const PROTOCOLS = ["", "tcp", "udp", "icmp"];

function addForm({ session }: View, vm: string, count: number): Html {
  const field = (name: string, label: string, size: number, hint = ""): Html =>
    markup`<div class="field"><label for="rule-${name}">${label}</label><input id="rule-${name}" name="${name}" size="${size}" autocomplete="off" spellcheck="false" placeholder="${hint}"></div>`;
  return markup`<details><summary class="body">Add a rule</summary><form class="body stack" method="post" action="/qubes/${
    encodeURIComponent(vm)
  }/rule">${
    token(session)
  }<input type="hidden" name="operation" value="${RULE_ADD}"><div class="row">
<div class="field"><label for="rule-action">Action</label><select id="rule-action" name="action"><option>accept</option><option>drop</option></select></div>
${field("dsthost", "Host or network", 18, "any")}
<div class="field"><label for="rule-proto">Protocol</label><select id="rule-proto" name="proto">${
    PROTOCOLS.map((name) => markup`<option value="${name}">${name || "any"}</option>`)
  }</select></div>
${field("dstports", "Ports", 8, "all")}${field("comment", "Comment", 14)}
<div class="field"><label for="rule-at">Place</label><select id="rule-at" name="at">${
    Array.from({ length: count }, (_, index) =>
      markup`<option value="${index}">before ${index}</option>`)
  }<option value="">at the end</option></select></div></div>
<div><button class="lean">Stage</button></div></form></details>`;
}

/** @returns what is wrong with it; null if it is on the list */
export function stageRule(session: Session, vm: string, form: Form): string | null {
  switch (form.get("operation")) {
    case RULE_ADD: {
      const rule = Object.fromEntries(RULE_FIELDS.map((name) => [name, form.get(name) ?? ""]));
      return putOnList(session, addedRule(vm, rule, form.get("at") ?? ""));
    }
    case RULE_REMOVE:
      return putOnList(
        session,
        removedRule(vm, form.get("number") ?? "", form.get("text") ?? ""),
      );
    default:
      return "This cannot be edited here.";
  }
}
