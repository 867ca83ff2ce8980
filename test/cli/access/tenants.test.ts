import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { tenantsToText } from "#cli/access/tenants.ts";
import { runCli } from "#cli/run/run-cli.ts";
import type { Controller } from "#controller/controller.ts";
import { quietController } from "../../controller/quiet-controller.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let controller: Controller;
beforeAll(async () => {
  directory = temporaryDirectory();
  controller = quietController(directory.path);
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  directory.remove();
});

/** Exit code of a command line, with what it printed and said. */
async function run(...words: string[]) {
  const output = spyOn(console, "log").mockImplementation(() => {});
  const errors = spyOn(console, "error").mockImplementation(() => {});
  try {
    const code = await runCli([...words, "--url", controller.url]);
    return { code, out: output.mock.calls.flat().join("\n"), err: errors.mock.calls.flat().join("\n") };
  } finally {
    output.mockRestore();
    errors.mockRestore();
  }
}
const rowOf = (out: string) => (out.split("\n")[1] ?? "").split(/ {2,}/).map((cell) => cell.trim());

test("tenants are shown with the limits that budgets put on them, the lowest of each kind", () => {
  const settings = { suspended: false, models: null, regions: null, costCentre: null };
  const until = { untilMs: Date.UTC(2026, 11, 1) };
  const text = tenantsToText([
    {
      ...{ id: "red", createdAtMs: 1, settings: { ...settings, requestsPerMinute: 60, tokensPerMinute: 100 } },
      ceilings: [{ budget: "shop", requests: 45, tokens: 450, ...until }],
    },
    { id: "blue", createdAtMs: 1, settings, ceilings: [] },
  ]);
  expect(text).toContain("LIMITED BY BUDGET");
  expect(rowOf(text)).toEqual([
    ...["red", "active", "any", "any", "45", "any", "100", "-", "shop until 2026-12-01T00:00Z"],
  ]);
});

test("a tenant is made, changed, suspended, resumed and deleted, and each step is on record", async () => {
  expect((await run("tenants", "list")).out).toBe("there are no tenants");
  const made = await run(
    "tenants",
    "create",
    "red",
    "--regions",
    "eu, us",
    "--texts-per-minute",
    "600",
    "--cost-centre",
    "47",
  );
  expect(rowOf(made.out)).toEqual(["red", "active", "any", "eu, us", "any", "600", "any", "47"]);
  const changed = await run(
    "tenants",
    "update",
    "red",
    "--regions",
    "any",
    "--models",
    "mini",
    "--texts-per-minute",
    "any",
  );
  expect(rowOf(changed.out)).toEqual(["red", "active", "mini", "any", "any", "any", "any", "47"]);
  expect(rowOf((await run("tenants", "suspend", "red", "--reason", "unpaid")).out)[1]).toBe("suspended");
  expect(rowOf((await run("tenants", "list")).out)[1]).toBe("suspended");
  expect(rowOf((await run("tenants", "resume", "red")).out)[1]).toBe("active");
  const json = JSON.parse((await run("tenants", "list", "--json")).out);
  expect(json.tenants).toMatchObject([{ id: "red", settings: { models: ["mini"], textsPerMinute: null } }]);
  expect(await run("tenants", "create", "red")).toMatchObject({
    code: 1,
    err: expect.stringContaining("tenant red already exists"),
  });
  expect(await run("tenants", "delete", "red")).toMatchObject({
    code: 0,
    out: "tenant red is deleted, its keys are revoked",
  });
  expect(await run("tenants", "suspend", "red")).toMatchObject({
    code: 1,
    err: expect.stringContaining("there is no tenant red"),
  });

  const shown = await run("audit", "show", "--limit", "100");
  const done = shown.out.split("\n").filter((line) => line.includes(": done"));
  expect(done.map((line) => /tenants\.\w+ red/.exec(line)?.[0])).toEqual([
    "tenants.create red",
    "tenants.update red",
    "tenants.update red",
    "tenants.update red",
    "tenants.delete red",
  ]);
  expect(shown.out).toContain("by anyone, admin, from 127.0.0.1: unpaid");
  expect((await run("audit", "show", "--json")).out).toContain('"tenants.create"');
  const verified = JSON.parse((await run("audit", "verify", "--json")).out);
  expect(verified).toMatchObject({ kind: "intact", first: 1 });
  const head = `${verified.head.seq}:${verified.head.hash}`;
  expect((await run("audit", "verify", "--against", head)).code).toBe(0);
  const other = await run("audit", "verify", "--against", `${verified.head.seq}:${"0".repeat(64)}`);
  expect(other).toMatchObject({ code: 1, out: expect.stringContaining("differs from the recorded one") });
  expect((await run("audit", "verify", "--against", `${verified.head.seq + 1}:${"0".repeat(64)}`)).code).toBe(1);
});

test("no tenant's key is made for one that is not there", async () => {
  const made = await run("keys", "create", "--name", "x", "--role", "embed", "--tenant", "blue");
  expect(made).toMatchObject({ code: 1, err: expect.stringContaining("there is no tenant blue") });
  expect((await run("keys", "list")).out).toBe("no key was issued");
});

test("a budget may limit a tenant that the controller knows", async () => {
  const set = ["budgets", "set", "shop", "--tenant", "green", "--amount", "1", "--at", "80:notify,100:limit-50"];
  expect((await run(...set)).err).toContain("scope.name: expected one of the controller's tenants with limit");
  await run("tenants", "create", "green");
  expect(await run(...set)).toMatchObject({ code: 0, out: "budget shop is set" });
  const { budgets } = JSON.parse((await run("budgets", "list", "--json")).out);
  expect(budgets[0]).toMatchObject({
    budget: { actions: [{ action: "notify" }, { atPercent: 100, action: "limit", limitPercent: 50 }] },
    ceiling: null,
  });
  expect(JSON.parse((await run("tenants", "list", "--json")).out).tenants).toContainEqual(
    expect.objectContaining({ id: "green", ceilings: [] }),
  );
  await run("budgets", "delete", "shop");
  await run("tenants", "delete", "green");
});
