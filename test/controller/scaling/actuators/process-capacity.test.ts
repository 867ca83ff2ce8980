import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
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
const create = (script = agent, stopGraceMs = 2000, own = "prices: {tariffUsdPerKwh: 0.5}\n") => {
  const config = join(directory.path, "a.yaml");
  writeFileSync(config, own);
  const path = join(directory.path, "agent.ts");
  const note = `const note = (text) => require("node:fs").appendFileSync(${JSON.stringify(join(directory.path, "notes"))}, text + "\\n");`;
  writeFileSync(path, note + script);
  return createProcessCapacity({
    agents: [{ id: "a", listen: "127.0.0.1:8099", config }],
    fleetName: "f",
    broker: (id) => ({ url: "mqtt://127.0.0.1:1883/?token=s3cr3t-query", username: `user-${id}`, password: "s3cr3t" }),
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
    expect(notes()[0]).toContain(`agent --config ${join(directory.path, "a", "agent.json")} --id=a --fleet=f`);
    expect(notes()[0]).toContain("--listen=127.0.0.1:8099");
    expect(notes()[0]).toContain("--exit-on-stdin-close");
    await provider.stop();
    expect(notes().at(-1)).toBe("off");
  });

  test("reads the broker's password in a file that only its user can read: neither arguments nor environment have it", async () => {
    const provider = create(`note(JSON.stringify([process.argv, process.env])); ${agent}`);
    await provider.request({ id: "1", agentId: "a", want: "on", reason: "" });
    await untilNotes(2);
    expect(notes().join("\n")).not.toContain("s3cr3t");
    const path = join(directory.path, "a", "agent.json");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
      prices: { tariffUsdPerKwh: 0.5 },
      broker: { username: "user-a", password: "s3cr3t", url: "mqtt://127.0.0.1:1883/?token=s3cr3t-query" },
    });
    await provider.stop();
  });

  test.if(existsSync("/proc/self/fd"))("writes its log by itself: nothing of it stays open here", async () => {
    const provider = create();
    await provider.request({ id: "1", agentId: "a", want: "on", reason: "" });
    await untilNotes(1);
    const opened = readdirSync("/proc/self/fd").flatMap((fd) => {
      const path = join("/proc/self/fd", fd);
      return existsSync(path) ? readlinkSync(path) : [];
    });
    expect(opened.filter((path) => path.startsWith(directory.path))).toEqual([]);
    await provider.stop();
  });

  test("keeps a user and password of its own configuration", async () => {
    const provider = create(agent, 2000, "broker: {username: own, keepAliveS: 5}\n");
    await provider.request({ id: "1", agentId: "a", want: "on", reason: "" });
    const { broker } = JSON.parse(readFileSync(join(directory.path, "a", "agent.json"), "utf8"));
    expect(broker).toEqual({ username: "own", keepAliveS: 5, url: "mqtt://127.0.0.1:1883/?token=s3cr3t-query" });
    await provider.stop();
  });

  test.each(["[1]", "broker: [1]"])("with a configuration that is none is not started: %s", async (own) => {
    const provider = create(agent, 2000, own);
    const asking = provider.request({ id: "1", agentId: "a", want: "on", reason: "" });
    await expect(asking).rejects.toThrow("expected an object");
    await provider.stop();
  });

  test("asked for twice at once is started once", async () => {
    const provider = create();
    const on = { id: "1", agentId: "a", want: "on", reason: "" } as const;
    await Promise.all([provider.request(on), provider.request(on)]);
    await provider.stop();
    expect(notes().filter((line) => line.startsWith("on"))).toHaveLength(1);
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
