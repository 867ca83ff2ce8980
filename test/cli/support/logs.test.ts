import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LogLine, logLineToJson, logLineToText, parseLogLine } from "#cli/support/log-line.ts";
import { type LogPlaces, logSource } from "#cli/support/log-source.ts";
import { createLogsCommand } from "#cli/support/logs.ts";
import { readLog } from "#cli/support/read-log.ts";
import { parseCommandLine } from "#platform/terminal/command.ts";
import * as printing from "#platform/terminal/print-line.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

const never = new Promise(() => {});
const atS = Date.UTC(2026, 10, 30, 12) / 1000;
const entry = (message: unknown, afterS = 0, priority = 6) =>
  JSON.stringify({
    __REALTIME_TIMESTAMP: String((atS + afterS) * 1_000_000),
    PRIORITY: String(priority),
    MESSAGE: message,
  });
const written = (msg: string, afterS = 0, fields: object = {}) =>
  JSON.stringify({
    level: "warn",
    time: new Date((atS + afterS) * 1000).toISOString(),
    component: "agent",
    ...fields,
    msg,
  });

let directory: ReturnType<typeof temporaryDirectory>;
let places: LogPlaces;
const spies: { mockRestore(): void }[] = [];
beforeEach(() => {
  directory = temporaryDirectory();
  places = {
    systemd: join(directory.path, "systemd"),
    logDir: directory.path,
    configDir: directory.path,
    journalctl: join(directory.path, "journalctl"),
  };
});
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
  directory.remove();
});

const put = (name: string, ...lines: string[]) => writeFileSync(join(directory.path, name), `${lines.join("\n")}\n`);

function withJournal(...entries: string[]): void {
  mkdirSync(places.systemd);
  copyFileSync(join(import.meta.dir, "../../fakes/journalctl"), places.journalctl);
  chmodSync(places.journalctl, 0o755);
  put("entries", ...entries);
}

/** Runs `thormesh logs`, and returns what it printed. */
async function logs(...args: string[]) {
  const shown: string[] = [];
  const said: string[] = [];
  spies.push(
    spyOn(printing, "printLine").mockImplementation((line = "") => shown.push(line) > 0),
    spyOn(console, "error").mockImplementation((line: string) => said.push(line)),
  );
  const command = createLogsCommand(places);
  const { values, positionals } = parseCommandLine(command, args);
  return { code: await command.run(values, positionals), shown, said };
}

const argumentsOfJournal = () => readFileSync(join(directory.path, "arguments"), "utf8").trim().split("\n");

describe("under systemd", () => {
  test("the journal's lines are shown with time, level, message and fields", async () => {
    withJournal(
      entry("Started thormesh agent."),
      entry(written("not connected", 1, { url: "mqtt://b:1", tries: 3, err: "refused: no route" }), 1),
    );
    expect(await logs("agent")).toEqual({
      code: 0,
      shown: [
        "2026-11-30 12:00:00.000Z info  Started thormesh agent.",
        '2026-11-30 12:00:01.000Z warn  agent: not connected  url=mqtt://b:1  tries=3  err="refused: no route"',
      ],
      said: [],
    });
    expect(argumentsOfJournal()).toEqual([
      ...["--unit=thormesh-agent.service", "--no-pager", "--output=json", "--output-fields=MESSAGE,PRIORITY"],
      "--lines=200",
    ]);
  });

  test("number, beginning and service are those that are asked for", async () => {
    withJournal(entry(written("early")), entry(written("late", 60), 60));
    const { shown } = await logs("controller", "-n", "7", "--since", "2026-11-30T12:00:30Z", "--json");
    expect(shown).toEqual(['{"time":"2026-11-30T12:01:00.000Z","level":"warn","component":"agent","msg":"late"}']);
    expect(argumentsOfJournal()).toEqual([
      ...["--unit=thormesh-controller.service", "--no-pager", "--output=json", "--output-fields=MESSAGE,PRIORITY"],
      ...["--lines=7", `--since=@${atS + 30}`],
    ]);
  });

  test("a log without lines is said, and so is a journal that can't be read", async () => {
    withJournal();
    writeFileSync(join(directory.path, "entries"), "");
    const { code, shown, said } = await logs("agent");
    expect([code, shown]).toEqual([1, []]);
    expect(said[0]).toStartWith("no lines of thormesh-agent.service");
    put("refusal", "No journal files were opened");
    await expect(logs("agent")).rejects.toThrow(
      "the log thormesh-agent.service can't be read: No journal files were opened",
    );
    rmSync(places.journalctl);
    await expect(logs("agent")).rejects.toThrow("can't be run, which reads the log thormesh-agent.service");
  });

  test("--follow goes on until it is stopped, or nobody reads on", async () => {
    withJournal(entry("one"));
    put("later", entry("two", 1), entry("three", 2));
    const wanted = { lines: 5, sinceMs: null, follow: true };
    for (const isStopped of [true, false]) {
      const seen: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      await readLog(logSource("agent", places), wanted, places, {
        onLine({ msg }) {
          seen.push(msg);
          if (isStopped && seen.length === 3) resolve();
          return isStopped || seen.length < 2;
        },
        stopped: isStopped ? promise : never,
      });
      expect(seen).toEqual(isStopped ? ["one", "two", "three"] : ["one", "two"]);
      expect(argumentsOfJournal()).toContain("--follow");
    }
  });
});

describe("without systemd", () => {
  test("the file that the runner writes is shown, its newest lines, also those of a crash", async () => {
    put(
      "thormesh-agent.log",
      written("gone"),
      written("early", 1),
      "panic: out of\u001b[2J memory",
      written("late", 2),
    );
    expect((await logs("-n", "3")).shown).toEqual([
      "2026-11-30 12:00:01.000Z warn  agent: early",
      `${" ".repeat(24)} info  panic: out of\\u001b[2J memory`,
      "2026-11-30 12:00:02.000Z warn  agent: late",
    ]);
    // A line without a time is as old as the one before it.
    expect((await logs("--since", "2026-11-30T12:00:01Z")).shown.length).toBe(3);
    expect((await logs("--since", "2026-11-30T12:00:02Z")).shown.length).toBe(1);
    expect((await logs("--since", "2026-12-01")).said).toEqual([
      `no lines of ${join(directory.path, "thormesh-agent.log")} since 2026-12-01T00:00:00.000Z`,
    ]);
  });

  test("the newest lines go on into the file that was filled before", async () => {
    put("thormesh-agent.log.1", written("first"), written("second", 1));
    put("thormesh-agent.log", written("third", 2));
    const messages = async (...args: string[]) => (await logs(...args)).shown.map((line) => line.split(" ").at(-1));
    expect(await messages()).toEqual(["first", "second", "third"]);
    expect(await messages("-n", "2")).toEqual(["second", "third"]);
    expect(await messages("--since", "2026-11-30T12:00:01Z")).toEqual(["second", "third"]);
    expect(await messages("-n", "1")).toEqual(["third"]);
  });

  test("the controller's is shown where there is no agent's", async () => {
    put("thormesh-controller.log", written("decided"));
    expect((await logs()).shown).toEqual(["2026-11-30 12:00:00.000Z warn  agent: decided"]);
  });

  test("a log that is not there is said", async () => {
    await expect(logs("controller")).rejects.toThrow("thormesh-controller.log: there is no such log");
  });
});

test.each([
  [["agnet"], 'expected agent or controller, got "agnet"; did you mean agent?'],
  [["agent", "x"], 'logs: expected nothing more, got "x"'],
  [["-n", "0"], "--lines: expected a whole number from 1 to 100000"],
  [["-n", "100001"], "--lines: expected a whole number from 1 to 100000"],
  [["--since", "yesterday"], "--since: expected a day or a time with its zone"],
])("%p is refused", async (args, message) => {
  await expect(logs(...args)).rejects.toThrow(message);
});

test.each([
  ["bytes for text", entry([...new TextEncoder().encode("broken")]), "broken", "info"],
  ["null for a line that is too long", entry(null), "(a line that is too long for the journal to show)", "info"],
  ["a priority", entry("failed", 0, 3), "failed", "error"],
  ["no JSON", "-- No entries --", "-- No entries --", "info"],
  ["JSON that is no object", entry("[1]"), "[1]", "info"],
  ["half a line of JSON", entry('{"msg":"a'), '{"msg":"a', "info"],
])("the journal may give %s", (_, line, msg, level) => {
  expect(parseLogLine(line, "journal")).toMatchObject({ msg, level });
});

test("a line of a log shows no password, and stays one line", () => {
  const line = parseLogLine(written("mqtt://u:s3cr3t@b:1\nfaked 2026", 0, { token: "s3cr3t" }), "file") as LogLine;
  for (const text of [logLineToText(line), logLineToJson(line)]) {
    expect(text).not.toContain("s3cr3t");
    expect(text).not.toContain("\n");
  }
  expect(parseLogLine("  ", "file")).toBeNull();
});
