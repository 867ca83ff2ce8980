import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FleetFailure, FleetProcesses } from "#tools/demo/fleet/fleet-processes.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-fleet-"));
const fleets: FleetProcesses[] = [];
const byName = (child: { name: string }) => child.name;
afterEach(async () => {
  await Promise.all(fleets.splice(0).map((fleet) => fleet.stopAll(byName)));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function newFleet(): FleetProcesses {
  const fleet = new FleetProcesses(directory);
  fleets.push(fleet);
  return fleet;
}

const script = (code: string) => [process.execPath, "-e", code];
const journal = join(directory, "journal");
/** Writes its name into the journal when it is asked to stop. */
const noted = (name: string) =>
  script(
    `process.on("SIGTERM", () => { require("fs").appendFileSync(${JSON.stringify(journal)}, "${name} "); process.exit(0); });
     setInterval(() => {}, 1000); console.log("up");`,
  );

describe("FleetProcesses", () => {
  test("a process that ends by itself fails what is being waited for, with its name, how it ended, its last words and its log file", async () => {
    const fleet = newFleet();
    const child = fleet.start("agent thor-1", script("console.error('port 8080 is in use'); process.exit(2)"));
    const failure = await fleet.guard(new Promise(() => {})).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FleetFailure);
    const { message } = failure as Error;
    expect(message).toContain("agent thor-1 ended by itself (exit code 2)");
    expect(message).toContain("port 8080 is in use");
    expect(message).toContain(child.logPath);
    // Later looks see it as well.
    await expect(fleet.guard(new Promise(() => {}))).rejects.toThrow("agent thor-1");
  });

  test("one that is not ready in time fails too", async () => {
    const fleet = newFleet();
    const child = fleet.start("controller", script("console.log('thinking'); setInterval(() => {}, 1000)"));
    const waiting = fleet.waitUntil(child, "healthy", 200, async () => false);
    await expect(waiting).rejects.toThrow("controller was not healthy");
  });

  test("waits until the answer is yes", async () => {
    const fleet = newFleet();
    const child = fleet.start("controller", script("setInterval(() => {}, 1000)"));
    let asked = 0;
    await fleet.waitUntil(child, "healthy", 60_000, async () => {
      asked += 1;
      return asked === 3;
    });
    expect(asked).toBe(3);
  });

  test("stops the last started first, a group at once, and that is no failure", async () => {
    const fleet = newFleet();
    for (const name of ["controller", "agent", "agent b"]) {
      const child = fleet.start(name, noted(name.replace(" ", "-")));
      await fleet.waitUntil(child, "up", 10_000, async () => (await child.lastLines(1))[0] === "up");
    }
    expect(await fleet.stopAll((child) => child.name.split(" ")[0] as string)).toEqual([]);
    const order = readFileSync(journal, "utf8").trim().split(" ");
    expect(order.slice(0, 2).sort()).toEqual(["agent", "agent-b"]);
    expect(order[2]).toBe("controller");
    expect(await fleet.guard(Promise.resolve("fine"))).toBe("fine");
    expect(await fleet.stopAll(byName)).toEqual([]);
    expect(() => fleet.start("late", script(""))).toThrow(FleetFailure);
  });
});
