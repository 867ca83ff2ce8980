import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { commands } from "#cli/run/commands.ts";

const module = join(import.meta.dir, "../../../platform/process/lower-rights.ts");

/** Limits and flags of a process that gave up rights, and of one that it started. */
function stateAfter(kind: string) {
  const script = `
    import { readFileSync } from "node:fs";
    import { lowerRights } from ${JSON.stringify(module)};
    const fault = lowerRights(${JSON.stringify(kind)});
    const core = (text) => text.match(/Max core file size\\s+(\\S+)\\s+(\\S+)/)?.slice(1).join(" ");
    const fresh = (text) => text.match(/NoNewPrivs:\\s+(\\d)/)?.[1];
    const read = (name) => readFileSync("/proc/self/" + name, "utf8");
    const child = Bun.spawnSync(["cat", "/proc/self/limits", "/proc/self/status"], { env: {} }).stdout.toString();
    console.log(JSON.stringify({
      fault, own: [core(read("limits")), fresh(read("status"))], child: [core(child), fresh(child)],
    }));`;
  const { stdout } = Bun.spawnSync([process.execPath, "-e", script], { env: { PATH: process.env["PATH"] ?? "" } });
  return JSON.parse(stdout.toString());
}

test("a service leaves no core dumps, nor do its children; a worker gets no new privileges either", () => {
  const service = stateAfter("service");
  expect(service).toMatchObject({ fault: null, own: ["0 0", expect.any(String)], child: ["0 0", expect.any(String)] });
  expect(stateAfter("worker")).toEqual({ fault: null, own: ["0 0", "1"], child: ["0 0", "1"] });
});

/** Processes of ours that start programs of the system, which may need more rights. */
const commanding = new Set(["calibrate-guard", "power-helper"]);

describe("commands that run for long or compute for others give up rights", async () => {
  const all = await Promise.all(Object.entries(commands).map(async ([name, load]) => [name, await load()] as const));
  const hidden = all.filter(([name, { hidden }]) => hidden === true && !commanding.has(name));

  test("services and workers are found", () => {
    expect(all.filter(([, { rights }]) => rights === "service").map(([name]) => name)).toEqual(["agent", "controller"]);
    expect(hidden.length).toBeGreaterThan(4);
  });

  test.each(hidden)("%s", (_, { rights }) => {
    expect(rights).toBe("worker");
  });
});
