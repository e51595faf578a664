// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a release is made of, as an SPDX 2.3 document: this code, Deno, the modules of @std in use, and
 * what only builds. Of OpenClaw, which setup-vm installs by its own lists of hashes, those lists.
 *
 * @module
 */

export interface SbomPart {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Hex; null where only an npm integrity is known. */
  readonly sha256: string | null;
  /** What a package of npm has instead, as deno.lock has it: "sha512-" and base64. */
  readonly integrity?: string;
  /** Part of what is installed, or needed to build that. */
  readonly role: "installed" | "build" | "list";
  readonly about: string;
}

export interface Sbom {
  readonly version: string;
  readonly createdMs: number;
  readonly sourceSha256: string;
  readonly parts: readonly SbomPart[];
}

const RELATION = {
  installed: ["DEPENDS_ON", false],
  build: ["BUILD_TOOL_OF", true],
  list: ["DEPENDENCY_MANIFEST_OF", true],
} as const;

/** The document, as JSON with a line for each value, so that two can be compared. */
export function spdxDocument({ version, createdMs, sourceSha256, parts }: Sbom): string {
  const own = "SPDXRef-qubes-claw";
  const packages = parts.map((part) => spdxPackage(part));
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `qubes-claw-${version}`,
    documentNamespace: `https://spdx.org/spdxdocs/qubes-claw-${version}-${sourceSha256}`,
    creationInfo: {
      created: new Date(createdMs).toISOString().replace(/\.\d+Z$/, "Z"),
      creators: ["Tool: make dist"],
    },
    packages: [
      spdxPackage({
        name: "qubes-claw",
        version,
        license: "GPL-2.0-or-later",
        sha256: sourceSha256,
        role: "installed",
        about: "the source of this release",
      }),
      ...packages,
    ],
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: own },
      ...parts.map(({ role }, at) => {
        const id = packages[at]?.SPDXID ?? "";
        const [relationshipType, isReverse] = RELATION[role];
        return isReverse
          ? { spdxElementId: id, relationshipType, relatedSpdxElement: own }
          : { spdxElementId: own, relationshipType, relatedSpdxElement: id };
      }),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function spdxPackage({ name, version, license, sha256, integrity, about }: SbomPart) {
  const [algorithm = "", base64 = ""] = integrity?.split("-") ?? [];
  const checksums = [
    ...(sha256 === null ? [] : [{ algorithm: "SHA256", checksumValue: sha256 }]),
    ...(integrity === undefined ? [] : [{
      algorithm: algorithm.toUpperCase(),
      checksumValue: Uint8Array.fromBase64(base64).toHex(),
    }]),
  ];
  return {
    SPDXID: `SPDXRef-${name.replace(/[^A-Za-z0-9.-]+/g, "-")}`,
    name,
    versionInfo: version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseDeclared: license,
    comment: about,
    checksums,
  };
}
