import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { createPullProgress } from "#agent/serving/models/pull/pull-progress.ts";
import { AgentDetail, AgentList, DecisionList, DecisionView, FleetView } from "#controller/api/schemas.ts";
import { PowerReport } from "#controller/cost/report-power.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { createTerminalProgress } from "#tools/demo/view/terminal.ts";
import { programCommand } from "../e2e/program.ts";
import { hostileText, hostileValue, steering } from "../fakes/hostile-text.ts";

/** A controller that says what it likes, in every field of its API that is a text. */
const decision = {
  ...(hostileValue(DecisionView as TSchema) as object),
  id: 1,
  kind: "scale-out",
  repeats: 2,
  inputs: {
    proposals: [{ rule: hostileText, agents: 1 }],
    limitedBy: [{ by: hostileText, from: 1, to: 2 }],
    [hostileText]: hostileText,
  },
};
const answers: Readonly<Record<string, unknown>> = {
  "/api/v1/fleet": hostileValue(FleetView as TSchema),
  "/api/v1/agents": hostileValue(AgentList as TSchema),
  "/api/v1/agents/1": hostileValue(AgentDetail as TSchema),
  "/api/v1/decisions": { ...(hostileValue(DecisionList as TSchema) as object), decisions: [decision, decision] },
  "/api/v1/decisions/1": decision,
  "/api/v1/freeze": { freeze: { reason: hostileText, sinceMs: 1, untilMs: null } },
  "/api/v1/power/report": hostileValue(PowerReport as TSchema),
};
let server: ReturnType<typeof Bun.serve>;
let failing: ReturnType<typeof Bun.serve>;
beforeAll(() => {
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) => Response.json(answers[new URL(url).pathname] ?? { error: hostileText }),
  });
  failing = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) =>
      Response.json(
        { error: hostileText, status: "error", errorType: hostileText, code: hostileText, message: hostileText },
        { status: url.includes("power") ? 400 : 422 },
      ),
  });
});
afterAll(async () => {
  await server.stop(true);
  await failing.stop(true);
});

async function run(args: readonly string[]) {
  const child = Bun.spawn([...programCommand, ...args], {
    env: { ...process.env, THORMESH_API_KEY: "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

function expectHarmless(text: string): void {
  expect(steering.exec(text)?.[0] ?? null).toBeNull();
  expect(text.split("\n").filter((line) => line.startsWith("FAKE"))).toEqual([]);
}

const commands: readonly (readonly string[])[] = [
  ["status"],
  ["why"],
  ["why", "1"],
  ["freeze", "--show"],
  ["power", "report"],
];

describe.each(commands.map((args) => [args.join(" "), args] as const))("%s", (_, args) => {
  test("shows nothing that could steer a terminal, nor lines that are not its own", async () => {
    const { code, stdout, stderr } = await run([...args, "--url", server.url.origin]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toContain("\\u001b]0;x");
    expectHarmless(stdout + stderr);
  });

  test("--json says the same, exactly", async () => {
    const { code, stdout } = await run([...args, "--json", "--url", server.url.origin]);
    expect(code).toBe(0);
    expectHarmless(stdout);
    expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(hostileText));
  });

  test("an error of the server's is told harmlessly", async () => {
    const { code, stdout, stderr } = await run([...args, "--url", failing.url.origin]);
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toContain("\\u001b]0;x");
    expectHarmless(stderr);
  });
});

const askingOthers: readonly (readonly string[])[] = [
  ["forecast", "train", "--out", "/nowhere/at-all", "--query", "up", "--prometheus"],
  ["models", "pull", "acme/tiny", "--dir", "/nowhere/at-all", "--url"],
  ["load", "--rate", "1", "--duration", "1", "--url"],
  ["verify"],
  ["verify", "--json"],
];
test.each(askingOthers.map((args) => [args.join(" "), args] as const))(
  "%s: what a server answers is told harmlessly",
  async (_, args) => {
    for (const { url } of [failing, server]) {
      const { code, stdout, stderr } = await run([...args, url.origin]);
      expect(code).not.toBe(0);
      expectHarmless(stdout + stderr);
    }
  },
);

test.each(["status", "decide", "config", "nonsense"])(
  "%s: a word of the command line is quoted harmlessly",
  async (name) => {
    const text = hostileText.replaceAll("\0", "");
    const { code, stdout, stderr } = await run([name, `x${text}`, `--url=${text}`]);
    expect(code).toBe(2);
    expect(steering.exec(stdout + stderr)?.[0] ?? null).toBeNull();
  },
);

test("a table keeps its lines and columns", () => {
  const table = formatTable(["A", "B"], [[hostileText, "b"]]);
  expectHarmless(table);
  expect(table.split("\n")).toHaveLength(2);
  expect(formatTable(["A"], [["x".repeat(10_000)]]).length).toBeLessThan(1000);
});

test("the demo's live view and what it says hold no sequences but its own", () => {
  const written: string[] = [];
  const progress = createTerminalProgress({ write: (text) => written.push(text), rows: 50, columns: 400 });
  progress.show([hostileText, "ok"]);
  const [view = ""] = written;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: its own sequences
  expectHarmless(view.replace(/^\u001b\[\?25l\r\u001b\[0J/, ""));
  expect(view.split("\n")).toHaveLength(3);
  progress.say(`the end of its log:\n${hostileText}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: its own sequences
  expect(steering.exec((written[1] ?? "").replace(/^\u001b\[2A\r\u001b\[0J/, ""))?.[0] ?? null).toBeNull();
});

test("the progress of a pull names files harmlessly", () => {
  const written: string[] = [];
  const output = { isTTY: false, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream;
  createPullProgress(output).onFile({
    path: hostileText,
    bytes: 1,
    sha256: "",
    evidence: "size",
    resumedAt: 0,
  } as never);
  expectHarmless(written.join(""));
});
