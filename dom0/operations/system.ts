// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The system as a whole: global properties, labels, templates, updates, policy, Xen, dom0 itself.
 * Sources: qubes_prefs.py, qvm_template.py in qubes-core-admin-client, qubesd_query.py and
 * api/admin.py in qubes-core-admin, qubes-dom0-update in qubes-core-admin-linux, xl(1).
 *
 * @module
 */

import { type Definition, type Result, ResultError } from "./operation.ts";
import { optional, required } from "./parameter.ts";
import { COLON_VALUES, LINES, NOTHING, PROPERTIES, rows, TEXT, words } from "./result.ts";

const property = required("property", "the property, such as default_netvm");
const POLICY_FOLDER = "/etc/qubes/policy.d";

/** qubesd's answer as it is: "0", a NUL, then a line each. */
const ANSWERED_LINES: Result = {
  ...LINES,
  parse(text) {
    if (!text.startsWith("0\0")) throw new ResultError("qubesd answered with no list");
    return LINES.parse(text.slice(2));
  },
  format: (value) => `0\0${LINES.format(value)}`,
};

export const SYSTEM: Readonly<Record<string, Definition>> = {
  // No other tool lists them.
  "label.list": {
    summary: "List the labels that a qube may have",
    level: "monitor",
    run: "qubesd-query --empty|-e --fail dom0 admin.label.List dom0",
    result: ANSWERED_LINES,
  },
  "system.prefs.list": {
    summary: "List all global properties",
    level: "monitor",
    run: "qubes-prefs",
    result: PROPERTIES,
  },
  "system.prefs.get": {
    summary: "Show one global property",
    level: "monitor",
    parameters: { property },
    run: "qubes-prefs {property}",
    alsoSpelled: ["qubes-prefs --get|-g {property}"],
    result: TEXT,
  },
  "system.prefs.set": {
    summary: "Set a global property",
    level: "manage",
    parameters: { property, value: required("text", 'the value; "" for none') },
    run: "qubes-prefs {property} {value}",
    alsoSpelled: ["qubes-prefs --set|-s {property} {value}"],
    result: NOTHING,
  },
  "system.prefs.reset": {
    summary: "Give a global property its default value again",
    level: "manage",
    parameters: { property },
    run: "qubes-prefs --default|-D {property}",
    result: NOTHING,
  },
  "template.list": {
    summary: "List the installed templates",
    level: "monitor",
    lists: true,
    run: "qvm-template list --installed --machine-readable",
    result: rows("status", "name", "evr", "repository"),
  },
  "template.install": {
    summary: "Install a template from a repository of Qubes",
    level: "manage",
    parameters: {
      template: required("template", "its name, such as fedora-42-minimal"),
      enablerepo: optional("repository", "a repository that is off by default"),
    },
    run: "qvm-template [--enablerepo={enablerepo}] --yes install {template}",
    result: NOTHING,
  },
  "update.check": {
    summary: "Look whether dom0 has updates",
    level: "monitor",
    run: "qubes-dom0-update --check-only",
    result: TEXT,
  },
  "update.install": {
    summary: "Install the updates of dom0",
    level: "full",
    run: "qubes-dom0-update -y",
    destructive: true,
    result: TEXT,
  },
  "policy.list": {
    summary: "List the files of qrexec policy",
    level: "monitor",
    run: `ls -1 ${POLICY_FOLDER}`,
    result: LINES,
  },
  "policy.read": {
    summary: "Show one file of qrexec policy",
    level: "monitor",
    parameters: { file: required("policyFile", "its name, such as 30-user.policy") },
    run: `cat ${POLICY_FOLDER}/{file}`,
    result: TEXT,
  },
  "xen.info": {
    summary: "Show what Xen says of this machine",
    level: "monitor",
    run: "xl info",
    result: COLON_VALUES,
  },
  "xen.list": {
    summary: "List the domains of Xen with memory, processors, state and time",
    level: "monitor",
    lists: true,
    run: "xl list",
    result: words("name", "id", "memory_mib", "vcpus", "state", "seconds"),
  },
  "xen.uptime": {
    summary: "Show how long each domain has run",
    level: "monitor",
    lists: true,
    run: "xl uptime",
    result: words("name", "id", "uptime"),
  },
  "host.name": {
    summary: "Show dom0's host name",
    level: "monitor",
    run: "hostname",
    result: TEXT,
  },
  "host.uptime": {
    summary: "Show how long dom0 has run, and its load",
    level: "monitor",
    run: "uptime",
    result: TEXT,
  },
  "host.memory": {
    summary: "Show the memory of dom0, in bytes",
    level: "monitor",
    run: "free -b",
    result: TEXT,
  },
  "host.disk": {
    summary: "Show how full the file systems of dom0 are, in KiB",
    level: "monitor",
    run: "df -P -k",
    result: words("filesystem", "kib", "used_kib", "free_kib", "used_percent", "mounted_on"),
  },
  "host.version": {
    summary: "Show which release of Qubes this is",
    level: "monitor",
    run: "cat /etc/qubes-release",
    result: TEXT,
  },
  "host.kernel": {
    summary: "Show which kernel dom0 runs",
    level: "monitor",
    run: "uname -r",
    result: TEXT,
  },
  "journal.read": {
    summary: "Show the last lines that one of the named services wrote to dom0's journal",
    level: "monitor",
    parameters: {
      unit: required("unit", "the service"),
      lines: required("lines", "how many lines"),
      since: optional("since", "nothing older: @ and seconds since 1970"),
    },
    run: "journalctl --no-pager [--since|-S={since}] --unit|-u={unit} --lines|-n={lines}",
    result: LINES,
  },
  "daemon.status": {
    summary: "Show which qubes this daemon serves, and what runs",
    level: "monitor",
    run: "qvm-remote-dom0 status",
    result: TEXT,
  },
};
