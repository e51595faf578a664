// SPDX-License-Identifier: GPL-2.0-or-later
/** qvm-create and qvm-remove. @module */
import { parseToolArgs, ToolRuntimeError, ToolUsageError } from "./tool_args.ts";
import { allDomains, requiredDomains, stateOf, type ToolContext } from "./tool_context.ts";
import { DEFAULT_MAX_CALLS } from "./limits.ts";
import { withPreference } from "./vm_prefs.ts";
import { buildVm, removeVmFolder } from "./world_folder.ts";
import { changeVm, changeWorld, findVm, readWorld, type VmConfig } from "./world_config.ts";

const LABELS = ["red", "orange", "yellow", "green", "gray", "blue", "purple", "black"];
const CLASSES = ["AppVM", "DispVM", "StandaloneVM", "TemplateVM"];
/** What the rest of qvm-create ends with when the VM is there but a property is not set. */
const EXIT_PROPERTY = 2;

/** Creates a VM. A StandaloneVM with a template is a clone: tags, features and all. */
export async function qvmCreate(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [
    ["--class -C", "value"],
    ["--standalone", "flag"],
    ["--disp", "flag"],
    ["--property --prop", "append"],
    ["--pool -p", "append"],
    ["-P", "value"],
    ["--template -t", "value"],
    ["--label -l", "value"],
    ["--help-classes", "flag"],
  ]);
  const [name, extra] = args.words;
  if (extra !== undefined) throw new ToolUsageError(`unrecognized arguments: ${extra}`);
  const klass = args.has("--standalone") ? "StandaloneVM" : args.value("--class") ?? "AppVM";
  const label = args.value("--label");
  if (label === undefined) throw new ToolUsageError("--label option is mandatory");
  if (name === undefined) throw new ToolUsageError("VMNAME is mandatory");
  if (!LABELS.includes(label)) {
    throw new ToolUsageError(`no such label: '${label}'; available: ${LABELS.join(", ")}`);
  }
  if (!CLASSES.includes(klass)) throw new ToolUsageError(`no such domain class: '${klass}'`);
  const failed = (message: string): number => {
    context.err(`qvm-create: Error creating VM: ${message}\n`);
    return 1;
  };
  const template = args.value("--template");
  const world = readWorld(context.folder);
  const source = template === undefined ? undefined : findVm(world, template);
  if (template !== undefined && source === undefined) return failed("Domain not found");
  if (klass === "AppVM" && source !== undefined && source.klass !== "TemplateVM") {
    return failed("template property value must be a TemplateVM");
  }
  if (!/^[A-Za-z][A-Za-z0-9_.-]{0,30}$/.test(name) || name.endsWith("-dm")) {
    return failed("Got empty or invalid name");
  }
  if (allDomains(world).some((vm) => vm.name === name)) {
    return failed(`qube with name ${name} already exists`);
  }
  const isClone = klass === "StandaloneVM" && source !== undefined;
  const { template: _, ...cloned } = source?.prefs ?? {};
  const vm: VmConfig = {
    ...{ name, klass, label, maxCalls: DEFAULT_MAX_CALLS },
    tags: ["created-by-dom0", ...(isClone ? source.tags : [])],
    features: isClone ? source.features : {},
    prefs: isClone ? cloned : template === undefined ? {} : { template },
  };
  await changeWorld(context.folder, (now) => ({ ...now, vms: [...now.vms, vm] }));
  await buildVm(context.folder, name);
  let code = 0;
  for (const property of args.values("--property")) {
    const [prop = "", ...value] = property.split("=");
    if (value.length === 0) throw new ToolUsageError(`Invalid property token: '${property}'`);
    try {
      await changeVm(
        context.folder,
        name,
        (now) => withPreference(context.folder, allDomains(world), now, prop, value.join("=")),
      );
    } catch (error) {
      context.err(`Error setting property ${prop} (but VM created): ${error}\n`);
      code = EXIT_PROPERTY;
    }
  }
  return code;
}

/** Removes VMs that are halted and that no other VM uses. */
export async function qvmRemove(context: ToolContext): Promise<number> {
  const args = parseToolArgs(context.args, [
    ["--force -f", "flag"],
    ["--all", "flag"],
    ["--exclude", "append"],
  ]);
  const domains = requiredDomains(context, args);
  if (domains.some(({ name }) => name === "dom0")) {
    context.err("Domain 'dom0' cannot be removed.\n");
    return 1;
  }
  if (!args.has("--force")) {
    context.err("Remove cancelled.\n"); // nobody is there to answer "Are you sure?"
    return 1;
  }
  for (const { name } of domains) {
    if (stateOf(context.folder, name) !== "Halted") {
      throw new ToolRuntimeError(`Domain is not powered off: '${name}'`);
    }
    const users = readWorld(context.folder).vms.filter(({ prefs }) =>
      prefs["netvm"] === name || prefs["template"] === name
    );
    if (users.length > 0) throw new ToolRuntimeError(`Domain is in use: '${name}'`);
    await changeWorld(context.folder, (now) => ({
      ...now,
      vms: now.vms.filter((vm) => vm.name !== name),
    }));
    await removeVmFolder(context.folder, name);
  }
  return 0;
}
