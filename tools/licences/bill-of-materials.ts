import { createHash } from "node:crypto";
import type { Licence } from "./collect-licences.ts";

const types = {
  ...{ program: "application", runtime: "platform", library: "library", package: "library" },
  ...{ model: "machine-learning-model", data: "data" },
} as const satisfies Readonly<Record<Licence["kind"], string>>;

/** Address of a package as others name it (purl). */
const addressOf = (name: string, version: string) =>
  `pkg:npm/${name.split("/").map(encodeURIComponent).join("/")}@${encodeURIComponent(version)}`;

/** True for an SPDX expression; anything else, as with "others" in it, is a name. */
const isExpression = (licence: string) =>
  /^[A-Za-z0-9.+()-]+( (AND|OR|WITH) [A-Za-z0-9.+()-]+)*$/.test(licence) && !/\bothers\b/.test(licence);

function componentOf({ name, version, kind, licence, text }: Licence) {
  const address = kind === "package" && version !== null ? { purl: addressOf(name, version) } : {};
  return {
    type: types[kind],
    "bom-ref": "purl" in address ? (address.purl as string) : `${kind}:${name}`,
    name,
    ...(version === null ? {} : { version }),
    ...address,
    licenses: isExpression(licence) ? [{ expression: licence }] : [{ license: { name: licence } }],
    properties: [{ name: "thormesh:licence-text-sha256", value: createHash("sha256").update(text).digest("hex") }],
  };
}

/** Bill of materials (CycloneDX 1.6) of everything in the executable. The same parts make the same bill: it has no time and no serial number. */
export function billOfMaterials(all: readonly Licence[]) {
  const [program, ...parts] = [
    ...all.filter(({ kind }) => kind === "program"),
    ...all.filter(({ kind }) => kind !== "program"),
  ].map(componentOf);
  return {
    ...{ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 },
    metadata: { component: program },
    components: parts,
    dependencies: [
      { ref: program?.["bom-ref"] ?? "", dependsOn: parts.map((part) => part["bom-ref"]) },
      ...parts.map((part) => ({ ref: part["bom-ref"] })),
    ],
  };
}
