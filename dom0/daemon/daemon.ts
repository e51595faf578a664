// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The daemon: a link to each authorised VM, one desk that judges and runs, and a watch on what
 * the operator sets. Every change takes effect at once: a key that is taken away ends the VM's
 * session and its commands.
 *
 * @module
 */

import type { Clock } from "../../shared/io/clock.ts";
import { syncFolderOf } from "../../shared/io/durable.ts";
import { makePrivateFolder } from "../../shared/io/files.ts";
import { errorText, EXIT_FAILED, writeAll } from "../../shared/cli/program.ts";
import { isSurelyHalted } from "../../shared/io/qrexec_call.ts";
import type { Notifier } from "../../shared/io/sd_notify.ts";
import { noteFormats, refuseNewer } from "../../shared/io/state_formats.ts";
import type { StateWriter } from "../../shared/io/state_writer.ts";
import { aborted, unlessAborted, within } from "../../shared/io/timing.ts";
import { VERSION } from "../../shared/io/version.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { OpenAdmin } from "../admin_orders/open_admin.ts";
import { createAdmission } from "../judge/admission.ts";
import { createDryRunDesk } from "../judge/dry_run_desk.ts";
import { createInforming } from "../judge/informing.ts";
import { createRequestDesk, type DeskOptions, type RequestDesk } from "../judge/request_desk.ts";
import type { Authority } from "../judge/verdict.ts";
import { createPlanBoard, NO_PLANS, type PlanBoard } from "../plans/plan_board.ts";
import { freeBytes } from "../payload/free_bytes.ts";
import { createPayloadStore } from "../payload/payload_store.ts";
import { createJudge, type JudgeOptions } from "../policy/judge.ts";
import { createQubeFacts } from "../policy/qube_facts.ts";
import { qvmLsFacts } from "../policy/qvm_ls.ts";
import { type Audit, newestRecords, openAudit } from "../record/audit_log.ts";
import { type Ledger, ledgerFile, openLedger, readOnly } from "../record/ledger.ts";
import { createOutcomeStore } from "../record/outcome_store.ts";
import { type GroupChoice, prepareGroups } from "../run/group_choice.ts";
import { readOperation } from "../run/read_operation.ts";
import { createScheduler, type Scheduler } from "../run/scheduler.ts";
import { createLinkSet, type LinkSet } from "../session/link_set.ts";
import { callQueueService, type CallService } from "../session/qrexec.ts";
import { openVmLink } from "../session/vm_link.ts";
import { stateFormats } from "../settings/state_formats.ts";
import { watchSettled } from "../settings/settled_changes.ts";
import { createUndoing, type Undoing } from "../undo/undoing.ts";
import { undoToolsOf } from "../undo/undo_tools.ts";
import { unfinishedUpgrade } from "../upgrade/unfinished.ts";
import { createKeyStore, isSameRight } from "../settings/key_store.ts";
import type { Config } from "../settings/config.ts";
import type { Paths } from "../settings/paths.ts";
import type { Settings, SettingsOptions } from "../settings/settings.ts";
import type { Approvals } from "./approvals.ts";
import { describeState, ledgerProblems } from "./describe_state.ts";
import { takeInstanceLock } from "./instance_lock.ts";
import {
  createLiveSettings,
  type LiveSettings,
  readFirstSettings,
  recordProblems,
} from "./live_settings.ts";
import { serveOperator, tellersOf } from "./operator_service.ts";
import { createDaemonState } from "./state_file.ts";
import { END_MS, windUp } from "./wind_up.ts";

/** --once ends when a VM has asked for nothing this long. */
const ONCE_IDLE_MS = 3_000;
const FORGET_INTERVAL_MS = 3600 * 1000;

export interface DaemonOptions {
  readonly paths: Paths;
  readonly environment: ReadonlyMap<string, string>;
  readonly onlyVms: readonly VmName[];
  readonly once: boolean;
  readonly dryRun: boolean;
  /** Each audited event, for the journal or the terminal. */
  readonly say: (line: string) => void;
  /** A cgroup to divide, where systemd did not delegate one; false for --no-cgroup. */
  readonly cgroup: string | false | undefined;
  readonly underSystemd: boolean;
  readonly notifier: Notifier;
  readonly clock: Clock;
  /** How VMs are called, if not by qrexec. */
  readonly callService?: CallService;
}

/** What the daemon is made of. */
interface Daemon {
  readonly settings: LiveSettings;
  readonly audit: Audit;
  readonly ledger: Ledger;
  /** null in a dry run, which runs nothing. */
  readonly groups: GroupChoice | null;
  readonly desk: RequestDesk;
  readonly links: LinkSet;
  /** null: nobody can be asked, as in a dry run or with --once. */
  readonly approvals: Approvals | null;
  readonly state: StateWriter;
  /** Starts nothing new. Resolves when nothing runs for the operator any more. */
  stopTaking(): Promise<void>;
}

const WATCHED = ["keyFolder", "policyFolder"] as const;

/** Runs until `stop` fires, or with --once until all VMs are served. @returns the exit code */
export async function runDaemon(options: DaemonOptions, stop: AbortSignal): Promise<number> {
  const { paths, once, dryRun, notifier } = options;
  await makePrivateFolder(paths.libFolder);
  await syncFolderOf(paths.libFolder); // systemd may have made it just now
  using _lock = await takeInstanceLock(paths.libFolder);
  await refuseNewer(paths.formatsFile, stateFormats(paths));
  if (!dryRun) await noteFormats(paths.formatsFile, stateFormats(paths));
  for (const name of dryRun ? WATCHED : [...WATCHED, "runFolder", "workFolder"] as const) {
    await makePrivateFolder(paths[name]);
  }
  const daemon = await assemble(options);
  const { settings, links, desk, groups, state } = daemon;
  sayProblems(await firstProblems(daemon, paths), daemon, options);
  const endWatches = [
    settings.watch(),
    watchSettled(paths.qrexecFolder, links.socketsChanged),
    every(FORGET_INTERVAL_MS, desk.forgetOld),
  ];
  // They may have changed since they were read: a lockdown counts from the start.
  await settings.reload();
  if (!dryRun) await state.write(); // so that "status" knows it as soon as systemd does
  await notifier.ready();

  const served = Promise.all(links.all().map((link) => link.firstSession()));
  const ends = once ? unlessAborted(stop, served) : aborted(stop);
  const failure = await Promise.race([ends, groups?.failed ?? ends]).then(() => null, errorText);
  if (failure !== null) console.error(failure);

  const stopped = daemon.stopTaking();
  for (const end of endWatches) end();
  await Promise.all([windUp(daemon.desk, "stopping"), within(END_MS, stopped)]);
  await wind(daemon, notifier);
  return failure === null ? 0 : EXIT_FAILED;
}

async function wind(
  { links, audit, groups, state, ledger }: Daemon,
  notifier: Notifier,
): Promise<void> {
  await links.stop();
  audit.record("stopped", { pid: Deno.pid });
  groups?.close();
  notifier.close();
  await state.close();
  await ledger.close();
  audit.close();
}

const NO_AUDIT: Audit = { record() {}, sync: () => Promise.resolve(), close() {} };

async function assemble(options: DaemonOptions): Promise<Daemon> {
  const { paths, dryRun, say, clock } = options;
  const startedAt = new Date(clock.dateMs()).toISOString();
  const sources = sourcesOf(options);
  const first = await readFirstSettings(sources);
  const { audit, ledger } = await openRecords(options);
  const groups = dryRun ? null : await startGroups(options, first, audit);
  const scheduler = createScheduler(first.config);
  const settings = createLiveSettings({ first, sources, audit, onRead: () => apply() });
  const state = createDaemonState(paths, () =>
    describeState({
      startedAt,
      settings: settings.current(),
      ledger,
      links,
      desk,
      limits: groups?.groups.limits ?? null,
      parking,
    }));
  const onChange = dryRun ? () => {} : state.changed;
  let isStopping = false;
  const policy = policyOf(settings, options);
  const authority = authorityOf(policy, settings, () => isStopping);
  const config = (): Config => settings.current().config;
  const changes = changesOf({ groups, audit, config }, options);
  const shared = { authority, config, audit, onChange, ...changes, admission: createAdmission() };
  const operator = serveOperator({ ...shared, settings, groups, jobs: () => desk.jobs() }, options);
  const { parking } = operator;
  const informing = createInforming({ policy, ...authority, read: readOperation, config });
  const desk = groups === null ? createDryRunDesk({ ...authority, ledger, clock, say }) : makeDesk({
    ...shared,
    ledger,
    scheduler,
    groups,
    informing,
    parking,
    ...tellersOf(operator),
  }, options);
  const links = makeLinks({ desk, audit, onChange, settings }, options);
  const apply = (): void => {
    applySettings(settings.current(), { scheduler, groups, desk, links, ...operator });
    onChange();
  };
  return {
    settings,
    audit,
    ledger,
    groups,
    desk,
    links,
    approvals: operator.approvals,
    state,
    stopTaking() {
      isStopping = true;
      settings.close();
      return operator.close();
    },
  };
}

/** How far plans have come, and what can be undone. */
function changesOf(
  { groups, audit, config }: Pick<Daemon, "groups" | "audit"> & { readonly config: () => Config },
  { paths, dryRun, clock: { dateMs } }: DaemonOptions,
): { readonly plans: PlanBoard; readonly undoing: Undoing } {
  const tools = undoToolsOf(groups, config, paths);
  return {
    plans: dryRun ? NO_PLANS : createPlanBoard({ folder: paths.plansFolder, dateMs }),
    undoing: createUndoing({ folder: paths.undoFolder, audit, tools, dateMs }),
  };
}

async function openRecords(
  { paths, dryRun, say, clock: { dateMs } }: DaemonOptions,
): Promise<Pick<Daemon, "audit" | "ledger">> {
  const audit = dryRun ? NO_AUDIT : openAudit({ ...paths, dateMs, alsoTo: say });
  const disk = ledgerFile(paths.ledgerFile);
  return { audit, ledger: await openLedger(dryRun ? readOnly(disk) : disk, dateMs) };
}

function sourcesOf({ paths, environment, onlyVms }: DaemonOptions): SettingsOptions {
  return { paths, keyStore: createKeyStore(paths.keyFolder), environment, onlyVms };
}

function policyOf(settings: LiveSettings, { paths, clock }: DaemonOptions): JudgeOptions {
  return {
    rules: () => settings.current().rules,
    facts: createQubeFacts(qvmLsFacts(paths.qubesStore)),
    dateMs: clock.dateMs,
  };
}

/** What the desk asks before it runs anything; always by the current settings. */
function authorityOf(
  policy: JudgeOptions,
  settings: LiveSettings,
  isStopping: () => boolean,
): Authority {
  return {
    judge: createJudge(policy),
    closedBecause(vm, key) {
      const { lockdown, keys } = settings.current();
      if (isStopping()) return "stopping";
      if (lockdown) return "locked-down";
      return isSameRight(key, keys.get(vm)) ? null : "revoked";
    },
  };
}

async function startGroups(
  options: DaemonOptions,
  { config }: Settings,
  audit: Audit,
): Promise<GroupChoice> {
  const warn = (line: string): void => writeAll(Deno.stderr, line);
  const choice = await prepareGroups({ ...options, warn }, config);
  const { kind, groups: { limits } } = choice;
  const held = { groups: kind, processes: limits.processes, memory: limits.memory };
  audit.record("started", { version: VERSION, pid: Deno.pid, ...held, once: options.once });
  return choice;
}

interface DeskParts extends
  Pick<
    DeskOptions,
    | "audit"
    | "ledger"
    | "onChange"
    | "config"
    | "informing"
    | "parking"
    | "tellRun"
    | "tellBackedOff"
    | "undoing"
    | "plans"
    | "admission"
  > {
  readonly scheduler: Scheduler;
  readonly authority: Authority;
  readonly groups: GroupChoice;
}

function makeDesk(
  { authority, groups, ...parts }: DeskParts,
  { paths, clock }: DaemonOptions,
): RequestDesk {
  return createRequestDesk({
    ...authority,
    ...parts,
    groups: groups.groups,
    wardens: groups.wardens,
    markPrefix: groups.markPrefix,
    clock,
    workFolder: paths.workFolder,
    payloads: createPayloadStore({
      folder: paths.payloadFolder,
      maxBytes: () => parts.config().maxPayloadBytes,
      freeBytes,
      dateMs: clock.dateMs,
    }),
    isOnRecord: newestRecords(paths.auditFile),
    store: createOutcomeStore(paths.outcomeFolder),
  });
}

function makeLinks(
  { settings, ...parts }: Pick<Daemon, "desk" | "audit" | "settings"> & {
    readonly onChange: () => void;
  },
  { paths, once, clock, callService = callQueueService }: DaemonOptions,
): LinkSet {
  return createLinkSet({
    ...parts,
    open: (vm, key) =>
      openVmLink({
        ...parts,
        vm,
        key,
        clock,
        callService,
        isHalted: (name) => isSurelyHalted(paths.qrexecFolder, name),
        vmUser: () => settings.current().config.vmUser,
        endWhenIdleMs: once ? ONCE_IDLE_MS : 0,
      }),
  });
}

/** Each time the settings were read. */
function applySettings(
  { config, rules, lockdown, keys }: Settings,
  { scheduler, groups, desk, links, approvals, admin }:
    & Pick<Daemon, "groups" | "desk" | "links" | "approvals">
    & { readonly scheduler: Scheduler; readonly admin: OpenAdmin | null },
): void {
  scheduler.setLimits(config);
  groups?.groups.setTotals(config).catch((error) => {
    console.error(`limits of all commands: ${errorText(error)}`);
  });
  if (lockdown) {
    desk.stop("locked-down");
    admin?.stopAll("locked-down");
  }
  links.follow(keys);
  approvals?.followRules(rules);
}

async function firstProblems(
  { settings, ledger }: Daemon,
  paths: Paths,
): Promise<readonly string[]> {
  const unfinished = await unfinishedUpgrade(paths);
  return [
    ...settings.current().problems,
    ...ledgerProblems(ledger),
    ...unfinished === null ? [] : [unfinished],
  ];
}

function sayProblems(
  problems: readonly string[],
  { audit }: Daemon,
  { dryRun, say }: DaemonOptions,
): void {
  recordProblems(problems, audit);
  if (dryRun) { for (const problem of problems) say(`${problem}\n`); }
}

/** @returns ends it */
function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
