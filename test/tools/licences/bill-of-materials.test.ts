import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { billOfMaterials } from "#tools/licences/bill-of-materials.ts";
import { collectLicences } from "#tools/licences/collect-licences.ts";
import { billFaults } from "../../fakes/bill-faults.ts";

const root = join(import.meta.dir, "../../..");
const all = collectLicences(root);
const bill = billOfMaterials(all);

test("the bill names the program and every part of it once, packages by an address of their version", () => {
  expect(bill).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 });
  expect(bill.metadata.component).toMatchObject({ type: "application", name: "thormesh" });
  expect(bill.components).toHaveLength(all.length - 1);
  const references = bill.components.map((component) => component["bom-ref"]);
  expect(new Set(references).size).toBe(references.length);
  for (const { kind, name, version } of all.filter((each) => each.kind === "package")) {
    const [scope, base] = name.startsWith("@")
      ? [`%40${name.slice(1).split("/")[0]}/`, name.split("/")[1]]
      : ["", name];
    expect({ kind, references }).toEqual({
      kind,
      references: expect.arrayContaining([`pkg:npm/${scope}${base}@${version}`]),
    });
  }
});

test("CycloneDX's own schema finds nothing wrong with it, and finds what is", () => {
  expect(billFaults(bill)).toEqual([]);
  expect(billFaults({ ...bill, components: [{ ...bill.components[0], type: "program" }] })).toEqual([
    "/components/0/type: must be equal to one of the allowed values",
  ]);
  expect(billFaults({ ...bill, made: "today" })).toEqual([": must NOT have additional properties"]);
});

test("every dependency of the program itself is in it, in the version of its manifest", () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const versions = Object.fromEntries(bill.components.map(({ name, version }) => [name, version]));
  for (const [name, version] of Object.entries(dependencies))
    if (!["@tensorflow/tfjs-node"].includes(name)) expect({ name, version: versions[name] }).toEqual({ name, version });
});

test("licences are SPDX expressions or names, and the same parts make the same bill", () => {
  for (const { name, licenses } of bill.components) {
    const [first] = licenses as { expression?: string; license?: { name: string } }[];
    expect({ name, text: first?.expression ?? first?.license?.name }).not.toEqual({ name, text: undefined });
    expect(first?.expression ?? "").not.toContain("others");
  }
  expect(JSON.stringify(billOfMaterials(collectLicences(root)))).toBe(JSON.stringify(bill));
});
