// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { checkChain } from "../../../dom0/record/audit_chain.ts";
import { KEPT_FILES } from "../../../dom0/record/appended_file.ts";
import { openAudit } from "../../../dom0/record/audit_log.ts";
import { keepShares } from "../../../dom0/record/audit_share.ts";
import { auditPaths, namesIn, stoppedClock, withFolder } from "../fixture.ts";

const MAX_FILE_BYTES = 8 * 1024;

Deno.test("audit: a VM that asks for much pushes out its own records, and nobody else's", () =>
  withFolder((folder) => {
    const paths = auditPaths(folder);
    const { auditFile, logFile } = paths;
    const { dateMs } = stoppedClock();
    const audit = openAudit({ ...paths, dateMs, maxFileBytes: MAX_FILE_BYTES });
    audit.record("operator", { action: "authorize", vm: "lab" });
    audit.record("lockdown", {});
    for (let n = 0; n < 3; n++) audit.record("done", { vm: "lab", id: `lab-${n}`, exit: 0 });
    // Names that are in its text are not who asks.
    const command = '"vm":"lab" vm=lab';
    for (let n = 0; n < 1500; n++) audit.record("refused", { vm: "work", id: `w-${n}`, command });
    audit.close();
    assert(namesIn(folder).includes(`audit.jsonl.${KEPT_FILES}`), namesIn(folder).join());
    for (const [path, isOf] of [[auditFile, '"vm":"work"'], [logFile, " vm=work "]] as const) {
      const kept = Deno.readTextFileSync(`${path}.kept`).trimEnd().split("\n");
      const ofOthers = kept.filter((line) => !line.includes(isOf));
      assertEquals(ofOthers.length, 5, path);
      const bytes = kept.filter((line) => line.includes(isOf)).join("\n").length;
      assert(bytes > 0 && bytes <= MAX_FILE_BYTES / 8, `${path}: ${bytes} bytes of the one VM`);
    }
    for (const line of Deno.readTextFileSync(`${auditFile}.kept`).trimEnd().split("\n")) {
      assert(checkChain([line], null).ok, line);
    }
  }));

Deno.test("audit: of each VM the newest lines are kept, in their order, up to its share", () =>
  withFolder((folder) => {
    const line = (vm: string, n: number): string =>
      `{"seq":${n},"time":"t","event":"done","vm":"${vm}","x":"${"x".repeat(60)}"}\n`;
    const [dropped, kept] = [`${folder}/dropped`, `${folder}/kept`];
    const share = 3 * line("a", 1).length;
    Deno.writeTextFileSync(dropped, line("a", 1) + line("b", 2) + line("a", 3) + "cut");
    keepShares(dropped, kept, share);
    assertEquals(Deno.readTextFileSync(kept), line("a", 1) + line("b", 2) + line("a", 3));
    Deno.writeTextFileSync(dropped, line("a", 4) + line("a", 5));
    keepShares(dropped, kept, share);
    const want = line("b", 2) + line("a", 3) + line("a", 4) + line("a", 5);
    assertEquals(Deno.readTextFileSync(kept), want);
    assertEquals(namesIn(folder), ["dropped", "kept"]);
    assertEquals((Deno.statSync(kept).mode ?? 0) & 0o777, 0o600);
  }));

Deno.test("audit: where nothing can be kept of what is dropped, the record goes on", () =>
  withFolder((folder) => {
    const paths = auditPaths(folder);
    const { dateMs } = stoppedClock();
    const audit = openAudit({ ...paths, dateMs, maxFileBytes: MAX_FILE_BYTES });
    Deno.mkdirSync(`${paths.auditFile}.kept.new/in-the-way`, { recursive: true });
    const error = console.error;
    let said = 0;
    console.error = () => void said++;
    try {
      for (let n = 0; said === 0; n++) audit.record("done", { vm: "work", id: `w-${n}` });
      audit.record("done", { vm: "lab", id: "last" });
      audit.close();
    } finally {
      console.error = error;
    }
    assert(Deno.readTextFileSync(paths.auditFile).includes('"id":"last"'));
  }));
