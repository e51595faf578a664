// SPDX-License-Identifier: GPL-2.0-or-later
/** @module */

import { assert, assertEquals } from "@std/assert";
import { PROGRAMS } from "../../../shared/packaging/programs.ts";
import { type SbomPart, spdxDocument } from "../../../shared/packaging/sbom.ts";
import { partsInScripts } from "../../../shared/packaging/write-sbom.ts";
import { FILES } from "../../source_files.ts";

const PARTS: readonly SbomPart[] = [
  {
    name: "deno",
    version: "2.9.6",
    license: "MIT",
    sha256: "ab".repeat(32),
    role: "installed",
    about: "runs the scripts",
  },
  {
    name: "vm/openclaw/package-lock.json",
    version: "2.0.0",
    license: "NOASSERTION",
    sha256: null,
    integrity: `sha512-${new Uint8Array(64).fill(1).toBase64()}`,
    role: "list",
    about: "a list",
  },
];

Deno.test("the SPDX document names each part with its hash, and how it belongs to the release", () => {
  const made = { version: "2.0.0", createdMs: 1_795_871_852_000, sourceSha256: "cd".repeat(32) };
  const document = JSON.parse(spdxDocument({ ...made, parts: PARTS }));
  assertEquals(document.spdxVersion, "SPDX-2.3");
  assertEquals(document.creationInfo.created, "2026-11-28T13:17:32Z");
  const packages: readonly { SPDXID: string; checksums: readonly unknown[] }[] = document.packages;
  assertEquals(packages.map(({ SPDXID }) => SPDXID), [
    "SPDXRef-qubes-claw",
    "SPDXRef-deno",
    "SPDXRef-vm-openclaw-package-lock.json",
  ]);
  assertEquals(packages[1]?.checksums, [{ algorithm: "SHA256", checksumValue: "ab".repeat(32) }]);
  assertEquals(packages[2]?.checksums, [{ algorithm: "SHA512", checksumValue: "01".repeat(64) }]);
  const known = new Set(["SPDXRef-DOCUMENT", ...packages.map(({ SPDXID }) => SPDXID)]);
  assertEquals(
    document.relationships.map((one: Record<string, string>) => [
      known.has(one["spdxElementId"] ?? "") && known.has(one["relatedSpdxElement"] ?? ""),
      one["relationshipType"],
    ]),
    [[true, "DESCRIBES"], [true, "DEPENDS_ON"], [true, "DEPENDENCY_MANIFEST_OF"]],
  );
  assertEquals(spdxDocument({ ...made, parts: PARTS }), spdxDocument({ ...made, parts: PARTS }));
});

Deno.test("every package that a program imports is on the list, in the version of the lock", async () => {
  const parts = partsInScripts(
    await Deno.readTextFile(new URL("../../../deno.lock", import.meta.url)),
  );
  const { imports } = JSON.parse(
    await Deno.readTextFile(new URL("../../../deno.json", import.meta.url)),
  );
  const used = FILES.filter(({ path }) => /^(dom0|vm|shared)\//.test(path))
    .flatMap((file) => file.imports).filter((name) => name in imports)
    .map((name) => /^npm:((?:@[^/]+\/)?[^/]+)/.exec(imports[name])?.[1] ?? name);
  assert(used.length > PROGRAMS.length, `${used.length}`);
  const listed = new Set(parts.map(({ name, version }) => `${name}@${version}`));
  assertEquals([...new Set(used)].filter((one) => !listed.has(one)), []);
});
