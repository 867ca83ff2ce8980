import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "#cli/run/commands.ts";
import { runCli } from "#cli/run/run-cli.ts";
import { describeError } from "#platform/errors.ts";
import { type CommandOption, helpOption, parseCommandLine } from "#platform/terminal/command.ts";
import { programCommand, temporaryDirectory } from "../../e2e/program.ts";

const spies: { mockRestore(): void }[] = [];

afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
});

/** The exit code of a command line, and what it said on standard error. */
async function run(...args: string[]): Promise<{ code: number; said: string }> {
  const errors = spyOn(console, "error").mockImplementation(() => {});
  errors.mockClear();
  const output = spyOn(console, "log").mockImplementation(() => {});
  spies.push(errors, output);
  const code = await runCli(args);
  return { code, said: errors.mock.calls.flat().join("\n") };
}

describe("bad usage is said, and ends with 2", () => {
  test.each([
    ["status extra", 'expected options only, got "extra"'],
    ["controller broker-config", "expected mosquitto, emqx or nats, got nothing"],
    ["controller broker-config mosqito --dir x", "did you mean mosquitto?"],
    ["controller broker-config mosquitto", "--dir is required"],
    ["controller broker-config mosquitto --dir x --host a_b", "--host: expected the broker's names or addresses"],
    ["controller --dir x", "--dir works only with: thormesh controller broker-config"],
    ["agent jion", 'expected options only, got "jion"; did you mean join?'],
    ["agent join", "expected the controller's address and a token"],
    ["agent join http://a:1 x y", "expected the controller's address and a token"],
    ["agent join a:1 x", 'URL: expected the controller\'s address, like http://controller:7070, got "a:1"'],
    ["agent join http://a:1 TM1.x", "token: expected TM1. and three more parts"],
    ["agent --wait 3", "--wait works only with: thormesh agent join"],
    ["cost reprot", "expected options or one of"],
    ["cost reconcile", "cost reconcile: expected the file of one bill"],
    ["cost reconcile a.csv", '--month: expected the bill\'s month, such as 2026-11, got ""'],
    ["cost reconcile /does/not/exist.csv --month 2026-11", "/does/not/exist.csv can't be read as a bill"],
    ["cost baseline", "expected set, list or delete, got nothing"],
    ["cost baseline set", "expected the name of one baseline"],
    ["cost compare", "expected the name of one baseline"],
    ["cost compare a --by label:x", "--by: expected one of region, tenant, model, agent"],
    ["savings x", 'expected options only, got "x"'],
    ["cost forecast --tell", "--tell does not apply to cost forecast"],
    ["cost export", "cost export: expected --focus"],
    ["cost export --focus --by tenant", "--by does not apply to cost export"],
    ["cost --month 2026-11", "--month does not apply to cost"],
    ["cost chargeback x", 'cost chargeback: expected nothing more, got "x"'],
    ["cost chargeback --format pdf", "--format: expected one of text, json, csv, html"],
    ["budgets", "expected list, set or delete, got nothing"],
    ["budgets ste a", "did you mean set?"],
    ["budgets set", "expected the name of one budget"],
    ["budgets set a", "--amount is required"],
    ["budgets set a --amount 0", "--amount: expected a number from 0.01"],
    ["budgets set a --amount 1 --period hourly", "--period: expected one of daily, weekly, monthly"],
    ["budgets set a --amount 1 --tenant b --region c", "--region and --tenant: a budget is for one of them"],
    ["budgets set a --amount 1 --at 80", "--at: expected steps such as 80:notify"],
    ["budgets set a --amount 1 --tenant b --at 80:limit", 'limit-PERCENT (1 to 100); got "80:limit"'],
    ["budgets set a --amount 1 --tenant b --at 80:limit-0", 'got "80:limit-0"'],
    ["budgets set a --amount 1 --tenant b --at 80:limit-101", 'got "80:limit-101"'],
    ["budgets set a --amount 1 --at 80:freeze-offers-5", 'got "80:freeze-offers-5"'],
    ["budgets list --amount 1", "--amount is for set, not for list"],
    ["alerts", "expected list, silence, unsilence or test, got nothing"],
    ["alerts silence", "expected a rule or any"],
    ["alerts silence any", "--reason is required"],
    ["alerts silence any tenant --reason x", 'expected a label such as tenant=shop, got "tenant"'],
    ["alerts unsilence", "expected the id of one silence"],
    ["token", "expected create, list or revoke, got nothing"],
    ["token craete", "did you mean create?"],
    ["token create --ttl 3", '--ttl: expected a time from 1s to 365d, like 30m, 12h or 7d, got "3"'],
    ["token create --uses 0", "--uses: expected a whole number from 1 to 100000"],
    ["token list --uses 2", "--uses is for create, not for list"],
    ["token revoke", "expected the id of one token"],
    ["logs agnet", "did you mean agent?"],
    ["logs --since yesterday", "--since: expected a day or a time with its zone"],
    ["support agnet", "did you mean agent?"],
    ["support --config /does/not/exist.yaml", "--config: there is no file /does/not/exist.yaml"],
    ["agents", "expected list, approve or revoke, got nothing"],
    ["agents approve", "expected the id of one agent"],
    ["agents revok a", "did you mean revoke?"],
    ["doctor --offline --url http://127.0.0.1:1", "--offline and --url: expected one of them"],
    ["update x", 'expected options only, got "x"'],
    ["update --version 1.2", '--version: expected a version such as 1.2.0, got "1.2"'],
    ["update --version ../../x", "--version: expected a version such as 1.2.0"],
    [
      "update --url ftp://x",
      '--url: expected an address of releases like https://releases.example/thormesh, got "ftp://x"',
    ],
    ["update --check --resume", "--check and --resume: expected one of them"],
    ["update --file x --url http://x --check --prefix /dev/null/x", "expected one of them"],
    ["rollout", "expected start, status, pause, resume or stop, got nothing"],
    ["rollout strat", "did you mean start?"],
    ["rollout start", "expected a version such as 1.2.0, got nothing"],
    ["rollout start 1.2", 'expected a version such as 1.2.0, got "1.2"'],
    ["rollout start 1.2.3 4", 'rollout start: expected nothing more, got "4"'],
    ["rollout start 1.2.3 --waves 0%", '--waves: expected waves such as 5%,25%,100% or REGION:50%,100%, got "0%"'],
    ["rollout start 1.2.3 --waves 101%", 'got "101%"'],
    ["rollout start 1.2.3 --window 22-04", '--window: expected a time of day in UTC such as 22:00-04:00, got "22-04"'],
    ["rollout start 1.2.3 --window 22:00-24:00", 'got "22:00-24:00"'],
    ["rollout start 1.2.3 --at-once 0", "--at-once: expected a whole number from 1 to 1000"],
    ["rollout pause --waves 5%", "--waves is for start, not for pause"],
    ["rollout pause x", 'rollout pause: expected nothing more, got "x"'],
    ["rollback x", 'expected options only, got "x"'],
    ["rollback --prefix /dev/null/x", "/dev/null/x is not writable: run this as root, or set another directory"],
    ["doctor x", 'expected options only, got "x"'],
    ["agent x", 'expected options only, got "x"'],
    ["controller x", 'expected options only, got "x"'],
    ["load x", 'expected options only, got "x"'],
    ["backtest x", 'expected options only, got "x"'],
    ["calibrate x", 'expected options only, got "x"'],
    ["verify", "expected one address like http://127.0.0.1:8080, got 0"],
    ["verify http://127.0.0.1:1 http://127.0.0.1:2", "expected one address like http://127.0.0.1:8080, got 2"],
    ["verify ftp://x", 'expected an address like http://127.0.0.1:8080, got "ftp://x"'],
    ["verify http://127.0.0.1:1 --timeout 0", "--timeout: expected a number from 0.1 to 3600"],
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
    ["power reprot", 'expected "report" or "backtest", got "reprot"; did you mean report?'],
    ["models lsit", "did you mean list?"],
    ["models constructor", 'got "constructor"'],
    ["policy valdate", "did you mean validate?"],
    ["policy", "expected validate, schema, preview or suggest, got nothing"],
    ["forecast trian", "did you mean train?"],
    ["decide replica", "did you mean replicas?"],
    ["config chekc agent x.yaml", "did you mean check?"],
    ["config check agnet x.yaml", "did you mean agent?"],
    ["config check agent a.yaml b.yaml", '"check controller FILE", got "a.yaml b.yaml"'],
    ["controller secert", 'expected options only, got "secert"; did you mean secret?'],
    ["keys", "expected create, list, rotate or revoke, got nothing"],
    ["keys lst", "did you mean list?"],
    ["keys list x", 'keys list: expected nothing more, got "x"'],
    ["keys create --role viewer", "--name is required"],
    ["keys create --name x", "--role is required: one of embed, viewer, operator, admin"],
    ["keys create --name x --role vewer", "did you mean viewer?"],
    ["keys create --name / --role viewer", "--name: expected 1 to 64 letters"],
    ["keys create --name x --role viewer --expires 90", "--expires: expected a time like 30s, 15m, 24h, 90d or 2w"],
    ["keys create --name x --role viewer --overlap 1h", "--overlap is for rotate, not for create"],
    ["keys revoke", "expected the id of one key"],
    ["keys rotate tm_a_aaaaaaaa", "expected the id of one key"],
    ["keys list --state-dir x", "--state-dir works only with --local"],
    ["keys list --local --url http://x", "--url can't be combined with --local"],
    ["completion tcsh", 'expected bash, zsh or fish, got "tcsh"'],
    ["man statsu", "did you mean status?"],
    ["tenants", "expected create, list, update, suspend, resume, delete, erase, export or jobs, got nothing"],
    ["tenants supsend red", "did you mean suspend?"],
    ["tenants list red", 'tenants list: expected nothing more, got "red"'],
    ["tenants create", "expected the name of one tenant"],
    [
      "tenants create r/d",
      'expected the name of one tenant, 1 to 64 letters, digits, dots, dashes or underscores, not just dots or __proto__; got "r/d"',
    ],
    ["tenants update red", "expected something to change: --models, --regions, --cost-centre or a limit"],
    ["tenants update red --texts-per-minute -1", "--texts-per-minute"],
    ["tenants suspend red --tokens-per-minute 3", "--tokens-per-minute is for create and update, not for suspend"],
    ["tenants suspend red --models a", "--models is for create and update, not for suspend"],
    ["tenants create red --models a,,b", '--models: expected comma-separated names, or any; got "a,,b"'],
    ["keys create --name x --role embed --tenant red --local", "--tenant can't be combined with --local"],
    ["audit", "expected show, verify, export, evidence or data-map, got nothing"],
    ["audit shw", "did you mean show?"],
    ["audit show x", 'audit show: expected nothing more, got "x"'],
    ["audit show --limit 0", "--limit: expected a whole number from 1 to 1000"],
    ["audit verify --witness http://127.0.0.1:1 --against 7:0", "--witness can't be combined with --against"],
    ["audit verify --against 7", "--against: expected SEQ:HASH as thormesh audit verify prints it"],
    ["audit verify --file /nonexistent", "--file: /nonexistent can't be read"],
    ["status --jsno", "Unknown option '--jsno'; did you mean --json?"],
    ["load --protocol opnai", '--protocol: expected one of openai, native, grpc, got "opnai"; did you mean openai?'],
    ["load --target p95", '--target: expected p95=MS, such as p95=30ms or p95=2s, got "p95"'],
    ["load --target error=1%", "did you mean errors?"],
    ["load --target p95=30ms,p95=40ms", "expected p95 once, got it twice"],
    ["demo --query up", "--query works only with --prometheus"],
    ["demo --column b", "--column works only with the file of a trace"],
    ["demo --trace a.csv --prometheus http://127.0.0.1:1 --query up", "got both"],
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

test("every option of every command is refused when given twice", async () => {
  for (const [name, load] of Object.entries(commands)) {
    const command = await load();
    for (const [option, { value, short }] of Object.entries({
      ...command.options,
      help: helpOption as CommandOption,
    })) {
      const once = value === undefined ? [`--${option}`] : [`--${option}`, "1"];
      const inline = value === undefined ? once : [`--${option}=2`];
      const expected = `--${option}: expected once, got 2 times`;
      expect(() => parseCommandLine(command, [...once, ...inline]), `${name} --${option}`).toThrow(expected);
      if (short === undefined) continue;
      const abbreviated = value === undefined ? [`-${short}`] : [`-${short}`, "1"];
      expect(() => parseCommandLine(command, [...once, "x", ...abbreviated])).toThrow(expected);
    }
  }
  const { code, said } = await run("status", "--json", "--json");
  expect([code, said.includes("--json: expected once, got 2 times")]).toEqual([2, true]);
});

test("every command and every option is suggested for a word that is nearly its name", async () => {
  for (const [name, load] of Object.entries(commands)) {
    const command = await load();
    if (command.hidden === true) continue;
    const { code, said } = await run(`${name}x`);
    expect([name, code, said.split("\n").length]).toEqual([name, 2, 2]);
    expect(said).toContain(`there is no command "${name}x"; did you mean ${name}`);
    for (const option of Object.keys(command.options))
      expect(() => parseCommandLine(command, [`--${option}x`]), `${name} --${option}x`).toThrow(
        `Unknown option '--${option}x'; did you mean --${option}`,
      );
  }
});

test("the case of a user: agnet", async () => {
  const { code, said } = await run("agnet");
  expect(code).toBe(2);
  expect(said).toBe('thormesh: there is no command "agnet"; did you mean agent?\nthormesh help lists the commands.');
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

  test("is an error that nobody catches before a command runs: the stack names our files and lines", async () => {
    const child = Bun.spawn([...programCommand, "help"], {
      ...{ stdin: "ignore", stdout: Bun.file("/dev/full"), stderr: "pipe" },
    });
    const said = await new Response(child.stderr).text();
    expect(await child.exited).toBe(1);
    const root = join(import.meta.dir, "../../..");
    for (const [path, place] of [
      ["platform/terminal/print-line.ts", `throw new Error("standard output can't be written to"`],
      ["cli/run/run-cli.ts", "console.log(await generalHelp());"],
    ] as const) {
      const lines = readFileSync(join(root, path), "utf8").split("\n");
      expect(said).toContain(`${path}:${lines.findIndex((line) => line.includes(place)) + 1}`);
    }
    expect(said).not.toContain("$bunfs");
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
    expect(said).toContain(`${name}: expected no value, got 0`);
  });

  test.each(["1", ""])("%p changes nothing", async (value) => {
    process.env[name] = value;
    expect((await run("version")).code).toBe(0);
  });
});
