import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { evidenceFiles } from "#tools/evidence/collect-evidence.ts";

const docs = join(import.meta.dir, "../docs");
const text = readFileSync(join(docs, "compliance.md"), "utf8");
const sections = text.split(/^## /m).slice(1);
const rows = sections.flatMap((section) =>
  [...section.matchAll(/^\| (?!---|control|article|right|rule)(.*) \|$/gm)].map(([, row = ""]) => {
    const [control = "", mechanism = "", tests = "", evidence = ""] = row.split(" | ");
    return { control, mechanism, tests, evidence };
  }),
);

test("the frameworks are all there, and each says what is an organisation's duty", () => {
  expect(rows.length).toBeGreaterThan(35);
  for (const name of ["SOC 2", "ISO/IEC 27001", "GDPR", "CCPA", "HIPAA"]) {
    const section = sections.find((each) => each.startsWith(name));
    expect({ name, section }).toEqual({ name, section: expect.stringContaining("**Your duty**") });
  }
});

test.each(rows)(
  "$control has a mechanism, tests that exist, and evidence that is collected",
  ({ mechanism, tests, evidence }) => {
    expect(mechanism.length).toBeGreaterThan(10);
    const paths = [...tests.matchAll(/\]\((\.\.\/test\/[^)]+)\)/g)].map(([, path = ""]) => path);
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) expect({ path, exists: existsSync(join(docs, path)) }).toEqual({ path, exists: true });
    const files = [...evidence.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file);
    if (evidence !== "–") expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(Object.keys(evidenceFiles)).toContain(file);
  },
);

test("every file of the evidence is used by a control", () => {
  const used = rows.flatMap(({ evidence }) => [...evidence.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file));
  expect([...new Set(used)].sort()).toEqual(Object.keys(evidenceFiles).sort());
});
