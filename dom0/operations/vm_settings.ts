// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A qube's settings: properties, features, tags, services, notes. Sources: qvm_prefs.py,
 * qvm_features.py, qvm_tags.py, qvm_service.py, qvm_notes.py in qubes-core-admin-client.
 *
 * @module
 */

import { type Definition } from "./operation.ts";
import { parseQube, type Qube, required, type Value } from "./parameter.ts";
import { NAMED_VALUES, NOTHING, PROPERTIES, TAGS, TEXT } from "./result.ts";
import type { Values } from "./spelling.ts";

const vm = required("qube", "the qube");
const property = required("property", "the property, such as memory");
const feature = required("feature", "the feature");
const tag = required("tag", "the tag");
const service = required("service", "the service, without its prefix");

/** Properties whose value is a qube; "" and "none" (in any case) are no qube, see qvm_prefs.py. */
const QUBE_PROPERTIES: ReadonlySet<Value | undefined> = new Set<Value | undefined>([
  "netvm",
  "template",
  "default_dispvm",
  "management_dispvm",
  "guivm",
  "audiovm",
]);

function qubesInProperty(values: Values): readonly Qube[] {
  const value = String(values.get("value"));
  if (!QUBE_PROPERTIES.has(values.get("property")) || /^(none)?$/i.test(value)) return [];
  return value === "dom0" ? [null] : [parseQube(value)];
}

export const VM_SETTINGS: Readonly<Record<string, Definition>> = {
  "vm.prefs.list": {
    summary: "List all properties of a qube",
    level: "monitor",
    parameters: { vm },
    run: "qvm-prefs {vm}",
    result: PROPERTIES,
  },
  "vm.prefs.get": {
    summary: "Show one property of a qube",
    level: "monitor",
    parameters: { vm, property },
    run: "qvm-prefs {vm} {property}",
    alsoSpelled: ["qvm-prefs --get|-g {vm} {property}"],
    result: TEXT,
  },
  "vm.prefs.set": {
    summary: "Set a property of a qube",
    level: "manage",
    parameters: { vm, property, value: required("text", 'the value; "" for none') },
    alsoTouches: qubesInProperty,
    run: "qvm-prefs {vm} {property} {value}",
    alsoSpelled: ["qvm-prefs --set|-s {vm} {property} {value}"],
    result: NOTHING,
  },
  "vm.prefs.reset": {
    summary: "Give a property of a qube its default value again",
    level: "manage",
    parameters: { vm, property },
    run: "qvm-prefs --default|-D {vm} {property}",
    result: NOTHING,
  },
  "vm.features.list": {
    summary: "List the features of a qube",
    level: "monitor",
    parameters: { vm },
    run: "qvm-features {vm}",
    result: NAMED_VALUES,
  },
  "vm.features.get": {
    summary: "Show one feature of a qube",
    level: "monitor",
    parameters: { vm, feature },
    run: "qvm-features {vm} {feature}",
    result: TEXT,
  },
  "vm.features.set": {
    summary: "Set a feature of a qube",
    level: "manage",
    parameters: { vm, feature, value: required("text", 'the value; "" for false') },
    run: "qvm-features {vm} {feature} {value}",
    result: NOTHING,
  },
  "vm.features.reset": {
    summary: "Remove a feature from a qube",
    level: "manage",
    parameters: { vm, feature },
    run: "qvm-features --unset|--default|--delete|-D {vm} {feature}",
    result: NOTHING,
  },
  "vm.tags.list": {
    summary: "List the tags of a qube",
    level: "monitor",
    parameters: { vm },
    run: "qvm-tags {vm} list|ls|l",
    alsoSpelled: ["qvm-tags {vm}"],
    result: TAGS,
  },
  "vm.tags.add": {
    summary: "Give a qube a tag",
    level: "manage",
    parameters: { vm, tag },
    run: "qvm-tags {vm} add|a|set {tag}",
    result: NOTHING,
  },
  "vm.tags.remove": {
    summary: "Take a tag from a qube",
    level: "manage",
    parameters: { vm, tag },
    run: "qvm-tags {vm} del|d|unset|u {tag}",
    result: NOTHING,
  },
  "vm.services.list": {
    summary: "List which services are on or off in a qube",
    level: "monitor",
    parameters: { vm },
    run: "qvm-service {vm}",
    alsoSpelled: ["qvm-service --list|-l {vm}"],
    result: NAMED_VALUES,
  },
  "vm.services.enable": {
    summary: "Switch a service on, from the next start of the qube",
    level: "manage",
    parameters: { vm, service },
    run: "qvm-service --enable|-e {vm} {service}",
    alsoSpelled: ["qvm-service {vm} {service} on|1|yes|true"],
    result: NOTHING,
  },
  "vm.services.disable": {
    summary: "Switch a service off, from the next start of the qube",
    level: "manage",
    parameters: { vm, service },
    run: "qvm-service --disable|-d {vm} {service}",
    alsoSpelled: ["qvm-service {vm} {service} off|0|no|false"],
    result: NOTHING,
  },
  "vm.services.reset": {
    summary: "Leave a service to its default",
    level: "manage",
    parameters: { vm, service },
    run: "qvm-service --default|--unset|--delete|-D {vm} {service}",
    result: NOTHING,
  },
  "vm.notes.get": {
    summary: "Show the notes of a qube",
    level: "monitor",
    parameters: { vm },
    run: "qvm-notes --print|-p {vm}",
    since: "4.3",
    result: TEXT,
  },
  "vm.notes.set": {
    summary: "Write the notes of a qube",
    level: "manage",
    parameters: { vm, notes: required("text", "the text, one line") },
    run: "qvm-notes --force|-f --set|-s={notes} {vm}",
    since: "4.3",
    result: NOTHING,
  },
};
