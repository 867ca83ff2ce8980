import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { collectLicences, type Licence } from "#tools/licences/collect-licences.ts";
import { packLicences, unpackLicences } from "#tools/licences/pack-licences.ts";
import { billOfRelease } from "../../scripts/releasing/bill-of-release.ts";
import { programCommand, temporaryDirectory } from "../e2e/program.ts";
import { billFaults } from "../fakes/bill-faults.ts";

const root = join(import.meta.dir, "..", "..");
const all = collectLicences(root);
const named = (name: string) => all.find((licence) => licence.name === name);

function run(...args: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...programCommand, "licences", ...args]);
  return { said: stdout.toString(), complained: stderr.toString(), exitCode };
}

describe("everything has its text", () => {
  test.each(all.map((licence) => [licence.name, licence] as const))("%s", (_, { text, licence }) => {
    expect(text.length).toBeGreaterThan(100);
    expect(licence).not.toBe("");
  });

  test("the parts that are no packages", () => {
    expect(named("ONNX Runtime")?.text).toContain("THIRD PARTY SOFTWARE NOTICES");
    expect(named("Bun")?.text).toContain("GNU LIBRARY GENERAL PUBLIC LICENSE");
    expect(named("Bun")?.text).toContain("GNU LESSER GENERAL PUBLIC LICENSE");
    expect(named("thormesh")?.text).toContain("Apache License");
    expect(all.filter(({ kind }) => kind === "model" || kind === "data")).toHaveLength(2);
    expect(named("@tensorflow/tfjs-layers")?.text).toContain("Permission is hereby granted");
  });

  test("every package that the bundler takes in is among them, and in a release's valid bill of materials", async () => {
    const { listBundled } = await import("../../scripts/build-executable.ts");
    const bundled = await listBundled();
    const inside = new Set(
      bundled.flatMap((path) => [...path.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].at(-1)?.[1] ?? []),
    );
    expect(inside.size).toBeGreaterThan(50);
    expect([...inside].filter((name) => named(name) === undefined)).toEqual([]);
    const bill = billOfRelease(bundled);
    expect(billFaults(bill)).toEqual([]);
    const components = new Set(bill.components.map(({ name }) => name));
    expect([...inside].filter((name) => !components.has(name))).toEqual([]);
  });

  test("a package without a text stops the build, by its name", () => {
    const directory = temporaryDirectory();
    const place = join(directory.path, "node_modules", "bare");
    mkdirSync(place, { recursive: true });
    for (const name of ["cli", "models", "LICENSE"]) symlinkSync(join(root, name), join(directory.path, name));
    const manifest = { name: "program", version: "1.0.0", dependencies: { bare: "1.0.0" } };
    writeFileSync(join(directory.path, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(place, "package.json"), JSON.stringify({ name: "bare", version: "1.2.3", license: "MIT" }));
    expect(() => collectLicences(directory.path)).toThrow("no licence text for bare 1.2.3");
    writeFileSync(join(place, "LICENSE.md"), "own words");
    expect(collectLicences(directory.path).at(-1)).toMatchObject({ name: "bare", text: "own words" });
    directory.remove();
  });
});

test("packed and unpacked they are the same, in less than a megabyte", () => {
  const packed = packLicences(all);
  expect(packed.length).toBeLessThan(1e6);
  expect(unpackLicences(packed as Uint8Array<ArrayBuffer>)).toEqual(all as Licence[]);
});

describe("thormesh licences", () => {
  test("prints all, as text and as JSON", () => {
    const { licences } = JSON.parse(run("--json").said);
    expect(licences.map(({ name }: Licence) => name)).toEqual(all.map(({ name }) => name));
    expect(licences.map(({ text }: Licence) => text)).toEqual(all.map(({ text }) => text));
    const { said, exitCode } = run();
    expect(exitCode).toBe(0);
    for (const { text } of all) expect(said).toContain(text);
  });

  test("of one, and names alone", () => {
    expect(run("--name", "elysia").said).toStartWith("elysia ");
    expect(run("--list").said.trim().split("\n")).toHaveLength(all.length);
    expect(run("--name", "nothing-of-this-name")).toMatchObject({
      exitCode: 2,
      complained: expect.stringContaining("there is no package or part called"),
    });
  });
});
