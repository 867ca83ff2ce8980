import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createProcessCapacity } from "#controller/scaling/actuators/process-capacity.ts";
import { createLogger } from "#platform/log.ts";
import { temporaryDirectory } from "../../../e2e/program.ts";
import { testsOfProviders } from "./provider-contract.ts";

const log = createLogger("test", "silent");
let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** Stands in for an agent: notes its start with its options, and its end by SIGTERM or when its standard input closes. */
const agent = `
  note("on " + process.argv.slice(2).join(" "));
  const end = () => { note("off"); process.exit(0); };
  process.on("SIGTERM", end);
  process.stdin.on("end", end).resume();
`;
const create = (script = agent, stopGraceMs = 2000) => {
  const path = join(directory.path, "agent.ts");
  const note = `const note = (text) => require("node:fs").appendFileSync(${JSON.stringify(join(directory.path, "notes"))}, text + "\\n");`;
  writeFileSync(path, note + script);
  return createProcessCapacity({
    agents: [{ id: "a", listen: "127.0.0.1:8099", config: "a.yaml" }],
    fleetName: "f",
    brokerUrl: () => "mqtt://127.0.0.1:1883",
    stateDir: directory.path,
    log,
    command: [process.execPath, path],
    stopGraceMs,
  });
};
const notes = () => {
  const path = join(directory.path, "notes");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
};
/** A process needs a moment to come up, more on a busy machine. */
const untilNotes = async (count: number) => {
  while (notes().length < count) await Bun.sleep(10);
};

describe("as every provider", () => {
  testsOfProviders(async () => ({
    provider: create(),
    async switched() {
      await untilNotes(1);
      return notes().map((line) => line.split(" ")[0] as string);
    },
  }));
});

describe("an agent's process", () => {
  test("gets its name, its address and the broker, and ends with the provider", async () => {
    const provider = create();
    await provider.request({ id: "1", agentId: "a", want: "on", reason: "" });
    await untilNotes(1);
    expect(notes()[0]).toContain("agent --id a --fleet f --listen 127.0.0.1:8099 --broker mqtt://127.0.0.1:1883");
    expect(notes()[0]).toContain("--exit-on-stdin-close --config a.yaml");
    await provider.stop();
    expect(notes().at(-1)).toBe("off");
  });

  test("that died is started anew", async () => {
    const provider = create(`${agent} setTimeout(() => process.exit(3), 600);`);
    const on = { agentId: "a", want: "on", reason: "" } as const;
    await provider.request({ id: "1", ...on });
    await untilNotes(1);
    while (notes().length < 2) {
      await Bun.sleep(50);
      await provider.request({ id: "2", ...on });
    }
    expect(notes().map((line) => line.split(" ")[0])).toEqual(["on", "on"]);
    await provider.stop();
  });

  test("that can't run is told at once, with where to look", async () => {
    const provider = create("process.exit(2)");
    const asking = provider.request({ id: "1", agentId: "a", want: "on", reason: "" });
    await expect(asking).rejects.toThrow(/ended at once with 2: see .*agent\.log/);
    await provider.stop();
  });

  test("that ignores SIGTERM is killed", async () => {
    const provider = create('process.on("SIGTERM", () => {}); note("on"); setInterval(() => {}, 1000);', 50);
    await provider.request({ id: "1", agentId: "a", want: "on", reason: "" });
    await untilNotes(1);
    await provider.request({ id: "2", agentId: "a", want: "off", reason: "" });
    await provider.stop();
  });
});
