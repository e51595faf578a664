// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The daemon: a link to each authorised VM, one desk that judges and runs, and a watch on what
 * the operator sets. Every change takes effect at once: a key that is taken away ends the VM's
 * session and its commands.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import type { Clock } from "../../shared/io/clock.ts";
import { syncFolderOf } from "../../shared/io/durable.ts";
import { makePrivateFolder } from "../../shared/io/files.ts";
import { errorText, EXIT_FAILED, UserError, writeAll } from "../../shared/io/program.ts";
import { isSurelyHalted } from "../../shared/io/qrexec_call.ts";
import { aborted, serialised, unlessAborted } from "../../shared/io/timing.ts";
import { VERSION } from "../../shared/io/version.ts";
import type { RefusalReason } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Audit, newestRecords, openAudit } from "../record/audit_log.ts";
import { createDryRunDesk } from "../judge/dry_run_desk.ts";
import { watchFolder } from "../settings/folder_watch.ts";
import { type GroupChoice, prepareGroups } from "../run/group_choice.ts";
import { takeInstanceLock } from "./instance_lock.ts";
import { createKeyStore, isSameRight, type StoredKey } from "../settings/key_store.ts";
import { type Ledger, ledgerFile, openLedger, readOnly } from "../record/ledger.ts";
import { PROTOCOLS } from "../record/ledger_memory.ts";
import { createJudge, type Judge } from "../policy/judge.ts";
import { createQubeFacts } from "../policy/qube_facts.ts";
import { qubesTools } from "../policy/qubes_tools.ts";
import { createLinkSet, type LinkSet } from "../session/link_set.ts";
import { createOutcomeStore } from "../record/outcome_store.ts";
import type { Paths } from "../settings/paths.ts";
import type { LimitsInForce } from "../run/process_group.ts";
import { callQueueService } from "../session/qrexec.ts";
import { createRequestDesk, type RequestDesk } from "../judge/request_desk.ts";
import { createScheduler, type Scheduler } from "../run/scheduler.ts";
import type { Notifier } from "../../shared/io/sd_notify.ts";
import { readSettings, type Settings, type SettingsOptions } from "../settings/settings.ts";
import { createDaemonState, type DaemonState } from "./state_file.ts";
import { openVmLink } from "../session/vm_link.ts";
import { windUp } from "./wind_up.ts";

/** EX_CONFIG of sysexits.h: systemd is told not to start it again for this. */
export const EXIT_CONFIG = 78;
/** --once ends when a VM has asked for nothing this long. */
const ONCE_IDLE_MS = 3_000;
const FORGET_INTERVAL_MS = 3600 * 1000;
/** A watched folder may be moved away and made anew: so a change is seen in any case. */
const REREAD_INTERVAL_MS = 60_000;

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
}

/** What changes while the daemon runs. */
interface Live {
  settings: Settings;
  stopping: boolean;
  readonly startedAt: string;
}

/** Runs until `stop` fires, or with --once until all VMs are served. @returns the exit code */
export async function runDaemon(options: DaemonOptions, stop: AbortSignal): Promise<number> {
  const { paths, once, dryRun, say, notifier, clock } = options;
  await makePrivateFolder(paths.libFolder);
  await syncFolderOf(paths.libFolder); // systemd may have made it just now
  using _lock = await takeInstanceLock(paths.libFolder);
  for (const name of ["runFolder", "workFolder", "keyFolder", "policyFolder"] as const) {
    await makePrivateFolder(paths[name]);
  }
  const settingsOptions: SettingsOptions = {
    paths,
    keyStore: createKeyStore(paths.keyFolder),
    environment: options.environment,
    onlyVms: options.onlyVms,
  };
  const live: Live = {
    settings: await firstSettings(settingsOptions),
    stopping: false,
    startedAt: new Date(clock.dateMs()).toISOString(),
  };
  const audit = dryRun ? NO_AUDIT : openAudit({ ...paths, dateMs: clock.dateMs, alsoTo: say });
  const state = createDaemonState(
    paths.stateFile,
    () => describeState(live, links, desk, groups, ledgerProblems(ledger)),
  );
  const onChange = dryRun ? () => {} : state.changed;
  const scheduler = createScheduler(live.settings.config);
  const disk = ledgerFile(paths.ledgerFile);
  const ledger = await openLedger(dryRun ? readOnly(disk) : disk, clock.dateMs);
  const groups = dryRun ? null : await startGroups(options, live, audit);
  const desk = groups === null
    ? createDryRunDesk({ ...judgement(live, options), ledger, clock, say })
    : makeDesk(live, options, { audit, ledger, scheduler, onChange, ...groups });
  const links = createLinkSet({
    ...{ desk, audit, onChange },
    open: (vm, key) =>
      openVmLink({
        ...{ vm, key, desk, audit, onChange, clock, callService: callQueueService },
        isHalted: (name) => isSurelyHalted(paths.qrexecFolder, name),
        vmUser: () => live.settings.config.vmUser,
        endWhenIdleMs: once ? ONCE_IDLE_MS : 0,
      }),
  });
  const problems = [...live.settings.problems, ...ledgerProblems(ledger)];
  reportProblems(problems, audit, dryRun ? say : () => {});
  const applySettings = (): void => {
    scheduler.setLimits(live.settings.config);
    groups?.groups.setTotals(live.settings.config).catch((error) => {
      console.error(`limits of all commands: ${errorText(error)}`);
    });
    if (live.settings.lockdown) desk.stop("locked-down");
    links.follow(live.settings.keys);
    onChange();
  };
  const reload = serialised(async () => {
    if (live.stopping) return;
    await rereadSettings(live, settingsOptions, audit);
    applySettings();
  }, (error) => console.error(`reload: ${errorText(error)}`));
  const unwatch = watchSettings(paths, reload, links);
  const forgetTimer = setInterval(() => desk.forgetOld(), FORGET_INTERVAL_MS);
  const rereadTimer = setInterval(reload, REREAD_INTERVAL_MS);
  await reload(); // they may have changed since they were read: a lockdown counts from the start
  if (!dryRun) await state.write(); // so that "status" knows it as soon as systemd does
  await notifier.ready();

  const served = Promise.all(links.all().map((link) => link.firstSession()));
  const ends = once ? unlessAborted(stop, served) : aborted(stop);
  const failure = await Promise.race([ends, groups?.failed ?? ends]).then(() => null, errorText);
  if (failure !== null) console.error(failure);

  live.stopping = true;
  unwatch();
  clearInterval(forgetTimer);
  clearInterval(rereadTimer);
  await windUp(desk, "stopping");
  await links.stop();
  audit.record("stopped", { pid: Deno.pid });
  groups?.close();
  notifier.close();
  await state.close();
  await ledger.close();
  audit.close();
  return failure === null ? 0 : EXIT_FAILED;
}

/** Of a dry run, which runs nothing. */
const NO_LIMITS: LimitsInForce = { processes: "none", memory: "none" };

const NO_AUDIT: Audit = { record() {}, sync: () => Promise.resolve(), close() {} };

async function firstSettings(options: SettingsOptions): Promise<Settings> {
  const { config, ...rest } = await readSettings(options, null);
  if (config === null) throw new ConfigError(rest.problems);
  return { ...rest, config };
}

/** The configuration is bad, and nothing is running that could keep a good one. */
class ConfigError extends UserError {
  override readonly exitCode = EXIT_CONFIG;
  constructor(problems: readonly string[]) {
    super(problems.join("; "), ['mend it, then run "qvm-remote-dom0 check-config"']);
  }
}

/** What the desk asks before it runs anything; always by the settings of that moment. */
function judgement(live: Live, { paths, clock }: DaemonOptions): {
  readonly judge: Judge;
  readonly closedBecause: (vm: VmName, key: StoredKey) => RefusalReason | null;
} {
  return {
    judge: createJudge({
      rules: () => live.settings.rules,
      facts: createQubeFacts(qubesTools(paths.qubesStore)),
      dateMs: clock.dateMs,
    }),
    closedBecause(vm, key) {
      if (live.stopping) return "stopping";
      if (live.settings.lockdown) return "locked-down";
      return isSameRight(key, live.settings.keys.get(vm)) ? null : "revoked";
    },
  };
}

async function startGroups(
  options: DaemonOptions,
  { settings }: Live,
  audit: Audit,
): Promise<GroupChoice> {
  const warn = (line: string): void => writeAll(Deno.stderr, line);
  const choice = await prepareGroups({ ...options, warn }, settings.config);
  const { kind, groups: { limits } } = choice;
  const held = { groups: kind, processes: limits.processes, memory: limits.memory };
  audit.record("started", { version: VERSION, pid: Deno.pid, ...held, once: options.once });
  return choice;
}

interface DeskParts {
  readonly audit: Audit;
  readonly ledger: Ledger;
  readonly scheduler: Scheduler;
  readonly onChange: () => void;
}

function makeDesk(
  live: Live,
  options: DaemonOptions,
  parts: DeskParts & Pick<GroupChoice, "groups" | "wardens" | "markPrefix">,
): RequestDesk {
  const { paths, clock } = options;
  return createRequestDesk({
    ...judgement(live, options),
    ...parts,
    ...{ clock, workFolder: paths.workFolder },
    isOnRecord: newestRecords(paths.auditFile),
    config: () => live.settings.config,
    store: createOutcomeStore(paths.outcomeFolder),
  });
}

function reportProblems(
  problems: readonly string[],
  audit: Audit,
  say: (line: string) => void,
): void {
  for (const problem of problems) {
    audit.record("problem", { problem });
    say(`${problem}\n`);
  }
}

/** A bad file of configuration leaves the last good one in force. */
async function rereadSettings(live: Live, options: SettingsOptions, audit: Audit): Promise<void> {
  const before = live.settings;
  const read = await readSettings(options, before);
  live.settings = { ...read, config: read.config ?? before.config };
  const { problems, lockdown } = live.settings;
  reportProblems(problems.filter((text) => !before.problems.includes(text)), audit, () => {});
  if (lockdown !== before.lockdown) audit.record(lockdown ? "lockdown" : "unlock", {});
}

/** @returns ends the watching */
function watchSettings(paths: Paths, reload: () => Promise<void>, links: LinkSet): () => void {
  const etcFolder = dirname(paths.config);
  const ours = [paths.config, paths.lockdownFile].map((path) => path.slice(etcFolder.length + 1));
  const closers = [
    watchFolder(etcFolder, ({ names, incomplete }) => {
      if (incomplete || ours.some((name) => names.has(name))) reload();
    }),
    watchFolder(paths.keyFolder, () => reload()),
    watchFolder(paths.policyFolder, () => reload()),
    watchFolder(paths.qrexecFolder, links.socketsChanged),
  ];
  const onHup = (): void => void reload();
  Deno.addSignalListener("SIGHUP", onHup);
  return () => {
    for (const close of closers) close();
    Deno.removeSignalListener("SIGHUP", onHup);
  };
}

/** While something may have run that is not known any more; it ends at the date that it names. */
function ledgerProblems(ledger: Ledger): readonly string[] {
  const why = ledger.wasLost ? "the ledger was lost or cut" : "the clock of dom0 was set back";
  return PROTOCOLS.flatMap((protocol) => {
    const untilMs = ledger.refusesUntilMs(protocol);
    if (untilMs === null) return [];
    const until = new Date(untilMs).toISOString();
    return [`requests of protocol ${protocol} are refused until ${until}: ${why}`];
  });
}

function describeState(
  live: Live,
  links: LinkSet,
  desk: RequestDesk,
  choice: GroupChoice | null,
  problems: readonly string[],
): DaemonState {
  const jobs = desk.jobs();
  return {
    pid: Deno.pid,
    startedAt: live.startedAt,
    version: VERSION,
    lockdown: live.settings.lockdown,
    limits: choice?.groups.limits ?? NO_LIMITS,
    problems: [...live.settings.problems, ...problems],
    vms: links.all().map((link) => {
      const own = jobs.filter((job) => job.request.vm === link.vm);
      return {
        vm: link.vm,
        state: link.state(),
        fingerprint: link.key.key.fingerprint,
        acceptsV1: link.key.acceptsV1,
        lastEnd: link.lastEnd(),
        open: own.filter((job) => job.outcome() === null).map((job) => job.request.id),
        kept: own.filter((job) => job.outcome() !== null).length,
      };
    }),
  };
}
