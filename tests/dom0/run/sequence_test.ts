// SPDX-License-Identifier: GPL-2.0-or-later
/** Real commands, one after another. */
import { assert, assertEquals } from "@std/assert";
import { concat } from "../../../shared/protocol/bytes.ts";
import type { Ended, Limits, RunningCommand } from "../../../dom0/run/runner.ts";
import {
  argvStep,
  type Sequence,
  type SequenceStep,
  startSequence,
  StepRefused,
} from "../../../dom0/run/sequence.ts";
import { sessionGroups } from "../../../dom0/run/session_groups.ts";
import { createWardens } from "../../../dom0/run/wardens.ts";
import { until, withFolder } from "../fixture.ts";

const LIMITS: Limits = {
  ...{ timeoutMs: 60_000, maxProcesses: 256, maxMemoryBytes: 2 ** 30, maxOutputBytes: 2 ** 20 },
};

interface Scene {
  readonly folder: string;
  start(
    steps: readonly SequenceStep[],
    limits?: Partial<Limits>,
    finish?: Sequence["finish"],
  ): RunningCommand;
  /** What was printed on the stream until now. */
  text(stream: 1 | 2): string;
  /** Which commands ran, one letter each. */
  ran(): string;
  /** A command that leaves its letter, then does what the text says. */
  step(letter: string, text: string): SequenceStep;
}

/** Groups found in /proc are swept a moment later: after the test, too. */
function sequenceTest(name: string, run: (scene: Scene) => Promise<void>): void {
  const fn = (): Promise<void> =>
    withFolder(async (folder) => {
      const wardens = createWardens({ newCgroup: () => "", dropCgroup() {} });
      const chunks: { stream: number; bytes: Uint8Array }[] = [];
      let marks = 0;
      try {
        await run({
          folder,
          start: (steps, limits = {}, finish = () => Promise.resolve()) =>
            startSequence({
              ...{
                steps,
                finish,
                environment: {},
                path: "/usr/bin:/bin",
                workFolder: folder,
                wardens,
              },
              newMark: () => `sequence-test-${Deno.pid}-${crypto.randomUUID()}-${++marks}`,
              limits: { ...LIMITS, ...limits },
              groups: sessionGroups(),
              onOutput: (stream, bytes) => void chunks.push({ stream, bytes: bytes.slice() }),
            }),
          text: (stream) =>
            new TextDecoder().decode(
              concat(chunks.filter((chunk) => chunk.stream === stream).map(({ bytes }) => bytes)),
            ),
          ran: () => readOr(`${folder}/ran`, ""),
          step: (letter, text) =>
            argvStep(["/bin/sh", "-c", `printf ${letter} >>'${folder}/ran'; ${text}`]),
        });
      } finally {
        wardens.close();
      }
    });
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

function readOr(path: string, otherwise: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return otherwise;
  }
}

const done = (exitCode: number): Ended => ({ kind: "done", exitCode });

sequenceTest("sequence: one after another, and their output is one", async (scene) => {
  const { step } = scene;
  const steps = [step("a", "sleep 0.05; echo one"), step("b", "echo two; echo err >&2")];
  assertEquals(await scene.start(steps).ended, done(0));
  assertEquals([scene.ran(), scene.text(1), scene.text(2)], ["ab", "one\ntwo\n", "err\n"]);
});

sequenceTest("sequence: the first that does not end with 0 ends it", async (scene) => {
  const { step } = scene;
  assertEquals(
    await scene.start([step("a", ""), step("b", "exit 3"), step("c", "")]).ended,
    done(3),
  );
  assertEquals(scene.ran(), "ab");
});

sequenceTest("sequence: a later step is made of what an earlier one printed", async (scene) => {
  let kept = "";
  const ends: Ended[] = [];
  const first: SequenceStep = {
    ...scene.step("a", "printf found"),
    output: (_stream, bytes) => void (kept += new TextDecoder().decode(bytes)),
    end: (ended) => void ends.push(ended),
  };
  const second: SequenceStep = {
    begin: () => Promise.resolve({ mode: "argv", argv: ["echo", kept] }),
  };
  assertEquals(await scene.start([first, second]).ended, done(0));
  assertEquals([scene.text(1), ends], ["found\n", [done(0)]]);
});

sequenceTest("sequence: what cannot be prepared does not run, nor what follows", async (scene) => {
  const refused: SequenceStep = {
    begin: () => Promise.reject(new StepRefused("the disk is full")),
  };
  const { step } = scene;
  assertEquals(await scene.start([step("a", ""), refused, step("c", "")]).ended, done(1));
  assertEquals([scene.ran(), scene.text(2)], ["a", "qvm-remote-dom0: the disk is full\n"]);
});

sequenceTest("sequence: what goes wrong after a step ends it", async (scene) => {
  const { step } = scene;
  const end = (): void => {
    throw new StepRefused("not what was expected");
  };
  assertEquals(await scene.start([{ ...step("a", ""), end }, step("b", "")]).ended, done(1));
  assertEquals([scene.ran(), scene.text(2)], ["a", "qvm-remote-dom0: not what was expected\n"]);
});

sequenceTest("sequence: a failed step is told of before the sequence ends", async (scene) => {
  const ends: Ended[] = [];
  const step = { ...scene.step("a", "exit 7"), end: (ended: Ended) => void ends.push(ended) };
  assertEquals(await scene.start([step]).ended, done(7));
  assertEquals(ends, [done(7)]);
});

sequenceTest("sequence: the limit of time is that of the whole", async (scene) => {
  const { step } = scene;
  const steps = [..."abcdefgh"].map((letter) => step(letter, "sleep 0.3"));
  const { kind } = await scene.start(steps, { timeoutMs: 500 }).ended;
  assertEquals(kind, "timeout");
  assert(scene.ran().length < steps.length, scene.ran());
});

sequenceTest("sequence: the limit of output is that of the whole", async (scene) => {
  const { step } = scene;
  const print = "head -c 600 /dev/zero";
  const steps = [step("a", print), step("b", print), step("c", "")];
  assertEquals((await scene.start(steps, { maxOutputBytes: 1000 }).ended).kind, "output-limit");
  assertEquals([scene.ran(), scene.text(1).length], ["ab", 1000]);
});

sequenceTest(
  "sequence: who stops it ends the step that runs, and no other starts",
  async (scene) => {
    const { step } = scene;
    const running = scene.start([step("a", ""), step("b", "sleep 1000"), step("c", "")]);
    await until("the second runs", () => scene.ran() === "ab");
    running.stop("cancelled");
    running.stop("revoked"); // the first reason counts
    assertEquals((await running.ended).kind, "cancelled");
    assertEquals(scene.ran(), "ab");
  },
);

sequenceTest(
  "sequence: stopped between two steps, it ends there and waits for nothing",
  async (scene) => {
    const { step } = scene;
    const asked = Promise.withResolvers<void>();
    const never: SequenceStep = {
      begin() {
        asked.resolve();
        return new Promise(() => {});
      },
    };
    const running = scene.start([step("a", ""), never, step("c", "")]);
    await asked.promise;
    running.stop("locked-down");
    assertEquals((await running.ended).kind, "locked-down");
    assertEquals(scene.ran(), "a");
  },
);

sequenceTest("sequence: stopped before it began, nothing of it starts", async (scene) => {
  const running = scene.start([scene.step("a", "")]);
  running.stop("cancelled");
  assertEquals((await running.ended).kind, "cancelled");
  assertEquals(scene.ran(), "");
});

sequenceTest("sequence: nothing to do is done", async (scene) => {
  assertEquals(await scene.start([]).ended, done(0));
});

sequenceTest(
  "sequence: finished once, whatever it came to, with what is printed then",
  async (scene) => {
    const { step } = scene;
    const finished: string[] = [];
    const start = (steps: readonly SequenceStep[]): RunningCommand =>
      scene.start(steps, {}, (ended, print, stopped) => {
        finished.push(`${ended.kind} ${ended.exitCode} ${stopped()}`);
        print(`finished ${finished.length}\n`);
        return Promise.resolve();
      });
    assertEquals(await start([step("a", "exit 0"), step("b", "echo b")]).ended, done(0));
    assertEquals(await start([step("c", "exit 3"), step("d", "echo d")]).ended, done(3));
    const running = start([step("e", "sleep 60")]);
    await until("e runs", () => scene.ran() === "abce");
    running.stop("cancelled");
    assertEquals((await running.ended).kind, "cancelled");
    assertEquals(finished, ["done 0 null", "done 3 null", "cancelled 130 cancelled"]);
    assertEquals(scene.text(1), "b\nfinished 1\nfinished 2\nfinished 3\n");
  },
);

sequenceTest(
  "sequence: what dom0 does after a step is waited for, though it was stopped",
  async (scene) => {
    const { step } = scene;
    const gate = Promise.withResolvers<void>();
    const said: string[] = [];
    const running = scene.start([
      { ...step("a", "exit 0"), end: () => gate.promise.then(() => void said.push("kept")) },
      step("b", "exit 0"),
    ]);
    await until("a ran", () => scene.ran() === "a");
    running.stop("locked-down");
    gate.resolve();
    assertEquals((await running.ended).kind, "locked-down");
    assertEquals([said, scene.ran()], [["kept"], "a"]);
  },
);
