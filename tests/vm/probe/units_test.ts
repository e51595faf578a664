// SPDX-License-Identifier: GPL-2.0-or-later
/** Which units a VM has, and what "systemctl show" says of them. @module */

import { assertEquals } from "@std/assert";
import { parseShow, unitOf, unitsOf } from "../../../vm/probe/units.ts";
import type { VmSettings } from "../../../vm/settings/vm_settings.ts";

const VM: VmSettings = {
  ...{ role: "agent", provider: "multi", keyQube: false, units: "user" },
  ...{ proxyPort: 32125, gatewayPort: 18789 },
};
const names = (more: Partial<VmSettings>): readonly string[] =>
  unitsOf({ ...VM, ...more }).map(({ unit, scope }) => `${scope} ${unit}`);

Deno.test("units by what the VM is for", () => {
  assertEquals(names({}), [
    ...["user openclaw-proxy.service", "user openclaw-gateway.service"],
    "user openclaw-watchdog.service",
  ]);
  assertEquals(names({ units: "system", role: "keys" }), [
    ...["system qubes-openclaw-proxy.service", "system qubes-openclaw-watchdog.service"],
  ]);
  assertEquals(names({ keyQube: true, units: "system" }), [
    ...["system qubes-openclaw-tunnel.service", "system qubes-openclaw-gateway.service"],
    "system qubes-openclaw-watchdog.service",
  ]);
  assertEquals(names({ keyQube: true })[0], "user openclaw-tunnel.service");
  assertEquals(names({ role: "client" }), ["user openclaw-connect.service"]);
});

Deno.test("systemctl's blocks, in any order; numbers that are not set are null", () => {
  const wanted = [unitOf("proxy", VM), unitOf("gateway", VM), unitOf("watchdog", VM)];
  const text = "Id=openclaw-gateway.service\nLoadState=loaded\nActiveState=failed\nNRestarts=2\n" +
    "ExecMainStatus=78\nMemoryCurrent=[not set]\nActiveEnterTimestamp=\n\n" +
    "Id=openclaw-proxy.service\nLoadState=loaded\nActiveState=active\nMemoryCurrent=1234\n" +
    "ActiveEnterTimestamp=@1700000000\nDescription=a=b\n";
  const [proxy, gateway, watchdog] = parseShow(text, wanted);
  assertEquals([proxy?.memoryBytes, proxy?.activeSinceMs], [1234, 1700000000000]);
  assertEquals([gateway?.active, gateway?.exitStatus, gateway?.restarts], ["failed", 78, 2]);
  assertEquals([gateway?.memoryBytes, gateway?.activeSinceMs], [null, null]);
  assertEquals([watchdog?.load, watchdog?.active], ["unknown", "unknown"]);
  const huge = parseShow(text.replace("=1234", "=18446744073709551615"), wanted);
  assertEquals(huge[0]?.memoryBytes, null);
});
