// SPDX-License-Identifier: GPL-2.0-or-later
/** An agent VM in memory: what openclaw-ctl in it would print. @module */

import type { RunResult } from "../../../dom0/admin/channel/dom0_channel.ts";

export interface FakeAgent {
  readonly vm: string;
  /** By part: "active" or "inactive". */
  readonly parts: Map<string, string>;
  /** What "status --json" prints instead. */
  saysInstead: string | null;
  readonly usage: Record<string, unknown>[];
}

export function fakeAgent(nowMs: number): FakeAgent {
  const day = (ago: number): string =>
    new Date(nowMs - ago * 86_400_000).toISOString().slice(0, 10);
  return {
    vm: "claw",
    parts: new Map([["proxy", "active"], ["gateway", "active"], ["watchdog", "active"]]),
    saysInstead: null,
    usage: Array.from({ length: 12 }, (_, ago) => ({
      ...{ day: day(ago), client: ago % 3 === 0 ? "research" : "claw", model: "openai/gpt-6-sol" },
      ...{ requests: 14 + ago, tokens: 190_000 + ago * 1_000, spend: 1.86 - ago * 0.11 },
    })),
  };
}

export function runAgent(
  agent: FakeAgent | null,
  operation: string,
  values: Readonly<Record<string, string>>,
): RunResult {
  const done = (stdout: string, exitCode = 0, stderr = ""): RunResult => ({
    ...{ exitCode, stdout, stderr, value: exitCode === 0 ? stdout : null },
  });
  if (agent === null) {
    return done("", 1, "cat: /etc/qubes/openclaw.conf: No such file or directory");
  }
  switch (operation) {
    case "openclaw.config":
      return done(`OPENCLAW_VM=${agent.vm}\nOPENCLAW_PROXY_PORT=32125\n`);
    case "openclaw.tunnels":
      return done(JSON.stringify([tunnel()]));
    case "openclaw.status":
      return done(agent.saysInstead ?? JSON.stringify(status(agent)), isWell(agent) ? 0 : 1);
    case "openclaw.usage":
      return done(JSON.stringify({ source: "books", rows: agent.usage }));
    case "openclaw.logs":
      return done(`Nov 28 14:31:07 ${values["part"]}: a request of claw, 200\n`);
    default: {
      const state = operation === "openclaw.stop" ? "inactive" : "active";
      for (const part of [...agent.parts.keys()]) {
        if (["all", part].includes(values["part"] ?? "")) agent.parts.set(part, state);
      }
      return done("");
    }
  }
}

const isWell = ({ parts }: FakeAgent): boolean =>
  [...parts.values()].every((one) => one === "active");

function status({ parts }: FakeAgent): unknown {
  const endpoint = (part: string, url: string) => ({
    ...{ url, version: "2.0.0", detail: null },
    state: parts.get(part) === "active" ? "ok" : "unreachable",
  });
  return {
    vm: {
      role: "agent",
      provider: "openai",
      units: "system",
      proxyPort: 32125,
      gatewayPort: 18789,
    },
    proxy: {
      ...endpoint("proxy", "http://127.0.0.1:32125/v1"),
      providers: [
        { name: "openai", kind: "openai", state: "closed", keyRefused: false, keyMissing: false },
        { name: "local", kind: "ollama", state: "open", keyRefused: false, keyMissing: false },
      ],
      ...{ activeRequests: 1, requests: 245, spend: 2.14 },
    },
    gateway: endpoint("gateway", "http://127.0.0.1:18789/"),
    units: [...parts].map(([part, active]) => ({
      ...{ part, unit: `qubes-openclaw-${part}.service`, active, load: "loaded", sub: "running" },
      ...{ restarts: 0, memoryBytes: 98_000_000 },
    })),
    unitsError: null,
  };
}

function tunnel(): unknown {
  const port = (number: number, bytesUp: number) => ({
    ...{ address: "127.0.0.1", port: number, remotePort: number, vm: "claw", mode: "persistent" },
    ...{ open: 1, failed: 0, bytesUp, bytesDown: bytesUp * 3, lastFailure: null },
  });
  return {
    ...{ pid: 7, startedAt: "2026-11-28T07:00:00.000Z", version: "2.0.0", mostDirect: 64 },
    ports: [port(32125, 10_800_000), port(18789, 1_700_000)],
  };
}
