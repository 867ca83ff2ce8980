import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { runCli } from "#cli/run/run-cli.ts";
import { describeError } from "#platform/errors.ts";
import { programCommand, temporaryDirectory } from "../../e2e/program.ts";

const spies: { mockRestore(): void }[] = [];

afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
});

/** The exit code of a command line, and what it said on standard error. */
async function run(...args: string[]): Promise<{ code: number; said: string }> {
  const errors = spyOn(console, "error").mockImplementation(() => {});
  const output = spyOn(console, "log").mockImplementation(() => {});
  spies.push(errors, output);
  const code = await runCli(args);
  return { code, said: errors.mock.calls.flat().join("\n") };
}

describe("bad usage is said, and ends with 2", () => {
  test.each([
    ["status extra", 'expected options only, got "extra"'],
    ["doctor x", 'expected options only, got "x"'],
    ["agent x", 'expected options only, got "x"'],
    ["controller x", 'expected options only, got "x"'],
    ["load x", 'expected options only, got "x"'],
    ["backtest x", 'expected options only, got "x"'],
    ["calibrate x", 'expected options only, got "x"'],
    ["version x", 'expected options only, got "x"'],
    ["power report --days 3", "--days is for backtest, not for report"],
    ["power backtest x.csv --window 3h", "--window is for report, not for backtest"],
    ["power", "got nothing"],
    ["forecast backtest --trace x.csv --epochs 3", "--epochs is for train, not for backtest"],
    ["forecast train --horizon 3", "--horizon is for backtest, not for train"],
    ["policy validate x.yaml --qps 3", "--qps is for preview, not for validate"],
    ["models list --force", "--force is for pull, not for list"],
    ["why 7 --url ftp://x", '--url: expected an address like http://127.0.0.1:7070, got "ftp://x"'],
    ["decide --list replicas", '--list: expected nothing more, got "replicas"'],
    ["status --url controller", '--url: expected an address like http://127.0.0.1:7070, got "controller"'],
  ])("%s", async (line, expected) => {
    const { code, said } = await run(...line.split(" "));
    expect(said).toContain(expected);
    expect(code).toBe(2);
  });

  test("why a policy's file can't be read", async () => {
    const { code, said } = await run("policy", "validate", "/is/not/there.yaml", "/nor/this.yaml");
    expect(said).toMatch(/there\.yaml can't be read: ENOENT.*\n.*this\.yaml can't be read: ENOENT/);
    expect(code).toBe(2);
  });

  test("an option that means something to one sub-command says so in the help", async () => {
    const output = spyOn(console, "log").mockImplementation(() => {});
    spies.push(output);
    expect(await runCli(["power", "--help"])).toBe(0);
    expect(output.mock.calls.flat().join("\n")).toMatch(/--days N +backtest: replay the last N days/);
  });
});

test("a controller that says the request is wrong: bad usage; that it fails: failed", async () => {
  let status = 400;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json({ error: "window: expected 15m, 24h, 7d or 2w" }, { status }),
  });
  try {
    const url = `http://127.0.0.1:${server.port}`;
    const wrong = await run("power", "report", "--window", "3y", "--url", url);
    expect([wrong.code, wrong.said.includes("answers 400: window: expected 15m")]).toEqual([2, true]);
    status = 500;
    expect((await run("power", "report", "--url", url)).code).toBe(1);
  } finally {
    await server.stop(true);
  }
});

test("a Prometheus that is down: failed, and said once", async () => {
  const directory = temporaryDirectory();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response("in trouble", { status: 503 }),
  });
  try {
    const url = `http://127.0.0.1:${server.port}`;
    const to = ["--query", "up", "--out", join(directory.path, "model")];
    const { code, said } = await run("forecast", "train", "--prometheus", url, ...to);
    expect(said).toBe(`thormesh forecast: Prometheus at ${url}: 503: in trouble`);
    expect(code).toBe(1);
  } finally {
    await server.stop(true);
    directory.remove();
  }
});

test("a cause that the message quotes is not said twice", () => {
  const cause = new Error("refused");
  expect(describeError(new Error("no answer: refused", { cause }))).toBe("no answer: refused");
  expect(describeError(new Error("no answer", { cause }))).toBe("no answer: refused");
});

describe("standard output", () => {
  const command = [...programCommand, "policy", "schema"];

  test("that can't be written to is a failure", async () => {
    const child = Bun.spawn(command, { stdin: "ignore", stdout: Bun.file("/dev/full"), stderr: "pipe" });
    const said = await new Response(child.stderr).text();
    expect(said).toContain("standard output can't be written to: ENOSPC");
    expect(await child.exited).toBe(1);
  });

  test("that nobody reads any more is none", async () => {
    const line = `${command.map((word) => `'${word}'`).join(" ")} | head -n 1`;
    const child = Bun.spawn(["bash", "-o", "pipefail", "-c", line], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await new Response(child.stdout).text()).toBe("{\n");
    expect(await new Response(child.stderr).text()).toBe("");
    expect(await child.exited).toBe(0);
  });
});

describe("a variable with which certificates are not checked", () => {
  const name = "NODE_TLS_REJECT_UNAUTHORIZED";
  const before = process.env[name];
  afterEach(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });

  test("is refused before a command runs", async () => {
    process.env[name] = "0";
    const { code, said } = await run("version");
    expect(code).toBe(2);
    expect(said).toContain(`${name}: expected it not to be set, got 0`);
  });

  test.each(["1", ""])("%p changes nothing", async (value) => {
    process.env[name] = value;
    expect((await run("version")).code).toBe(0);
  });
});
