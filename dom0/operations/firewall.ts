// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The firewall of a qube: rules in order, the first that matches counts. Source: qvm_firewall.py
 * and firewall.py in qubes-core-admin-client.
 *
 * @module
 */

import { type Definition } from "./operation.ts";
import { optional, required } from "./parameter.ts";
import { FIREWALL_RULES, NOTHING } from "./result.ts";

const vm = required("qube", "the qube");
const rule = {
  action: required("ruleAction", "accept or drop"),
  dsthost: optional("host", "address, network or host name"),
  proto: optional("protocol", "tcp, udp or icmp"),
  dstports: optional("ports", "a port or a range, for tcp and udp"),
  icmptype: optional("icmpType", "for icmp"),
  specialtarget: optional("specialTarget", "dns: the qube's own DNS servers"),
  expire: optional("expiry", "when the rule ends: seconds since 1970, or +seconds"),
  comment: optional("comment", "a comment"),
};
const KEYED = [
  "[dsthost={dsthost}]",
  "[proto={proto}]",
  "[dstports={dstports}]",
  "[icmptype={icmptype}]",
  "[specialtarget={specialtarget}]",
  "[expire={expire}]",
  "[comment={comment}]",
].join(" ");

export const FIREWALL: Readonly<Record<string, Definition>> = {
  "vm.firewall.list": {
    summary: "List the firewall rules of a qube",
    level: "monitor",
    parameters: { vm },
    run: "qvm-firewall --raw {vm} list",
    result: FIREWALL_RULES,
  },
  "vm.firewall.add": {
    summary: "Add a firewall rule to a qube, at the end or before another",
    level: "manage",
    parameters: {
      vm,
      before: optional("ruleNumber", "the number of the rule it goes before"),
      ...rule,
    },
    run: `qvm-firewall {vm} add [--before={before}] action={action} ${KEYED}`,
    alsoSpelled: [
      "qvm-firewall {vm} add [--before={before}] {action}",
      "qvm-firewall {vm} add [--before={before}] {action} {dsthost}",
      "qvm-firewall {vm} add [--before={before}] {action} {dsthost} {proto}",
      "qvm-firewall {vm} add [--before={before}] {action} {dsthost} {proto} {dstports}",
    ],
    result: NOTHING,
  },
  "vm.firewall.remove": {
    summary: "Remove a firewall rule of a qube by its number",
    level: "manage",
    parameters: { vm, rule_no: required("ruleNumber", "the number of the rule, from 0") },
    run: "qvm-firewall {vm} del --rule-no={rule_no}",
    result: NOTHING,
  },
  "vm.firewall.reset": {
    summary: "Remove all firewall rules of a qube: everything is accepted",
    level: "manage",
    parameters: { vm },
    run: "qvm-firewall {vm} reset",
    destructive: true,
    result: NOTHING,
  },
};
