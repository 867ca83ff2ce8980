import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { chmodSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answerModeRequest, type ModeRequestOptions } from "#agent/power/device/set-mode/answer-mode-request.ts";
import { createFakeBoard } from "../../../../fakes/jetson/board.ts";

const encoder = new TextEncoder();
let board: ReturnType<typeof createFakeBoard>;
let options: ModeRequestOptions;

beforeEach(() => {
  board = createFakeBoard();
  options = {
    confPath: board.config.confPath,
    nvpmodelPath: board.executable("nvpmodel"),
    allowedIds: null,
    requestTimeoutMs: 60_000,
    commandTimeoutMs: 60_000,
  };
});
afterEach(() => board.dispose());

/** A client that sends these parts and then says nothing more, or goes when `ends`. */
function client(parts: readonly (string | Uint8Array)[], ends = true): ReadableStream<Uint8Array> {
  const waiting = parts.map((part) => (typeof part === "string" ? encoder.encode(part) : part));
  return new ReadableStream({
    pull(controller) {
      const part = waiting.shift();
      if (part !== undefined) controller.enqueue(part);
      else if (ends) controller.close();
      else return new Promise(() => {});
      return undefined;
    },
  });
}
const answer = (parts: readonly (string | Uint8Array)[], change: Partial<ModeRequestOptions> = {}) =>
  answerModeRequest(client(parts), { ...options, ...change });
const sets = () => board.calls().filter((call) => call !== "");

test("a request that has come leaves no timer, which would keep the helper alive", async () => {
  const timeouts = spyOn(globalThis, "setTimeout");
  const ended = spyOn(globalThis, "clearTimeout");
  try {
    await answer(["nonsense\n"], { requestTimeoutMs: 54_321 });
    const timers = timeouts.mock.results.filter((_, call) => timeouts.mock.calls[call]?.[1] === 54_321);
    expect(timers).toHaveLength(1);
    expect(ended.mock.calls.flat() as unknown[]).toContain(timers[0]?.value);
  } finally {
    timeouts.mockRestore();
    ended.mockRestore();
  }
});

test("an id with more behind its line is no request, whatever its length", async () => {
  const noRequest = await answer(["nonsense\n"]);
  expect(await answer(["999\n"])).not.toEqual(noRequest);
  expect(await answer(["999\nX"])).toEqual(noRequest);
});

describe("what is set", () => {
  test.each([["0"], ["1"], ["2"], ["3"]])("mode %s of the list, with nothing but its id", async (id) => {
    expect(await answer([`${id}\n`])).toEqual({ kind: "set" });
    expect(board.read("mode").trim()).toBe(id);
    expect(sets()).toEqual([`-m ${id}`]);
  });

  test("an id that comes in parts", async () => {
    expect(await answer(["3", "\n"])).toEqual({ kind: "set" });
  });

  test("nothing of this process' environment reaches nvpmodel", async () => {
    const path = join(board.directory, "printenv");
    writeFileSync(path, `#!/bin/sh\nenv > ${board.directory}/environment\n`, { mode: 0o755 });
    process.env["NVPMODEL_OPTIONS"] = "evil";
    try {
      expect(await answer(["1\n"], { nvpmodelPath: path })).toEqual({ kind: "set" });
    } finally {
      delete process.env["NVPMODEL_OPTIONS"];
    }
    const names = board
      .read("environment")
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0] as string);
    expect(names.filter((name) => !["PWD", "_", "SHLVL", "OLDPWD"].includes(name)).sort()).toEqual([
      "HOME",
      "LC_ALL",
      "PATH",
    ]);
  });
});

const hostile: readonly (readonly (string | Uint8Array)[])[] = [
  [],
  [""],
  ["\n"],
  ["1"],
  ["1\n2\n"],
  ["1\n\n"],
  ["1 \n"],
  [" 1\n"],
  ["1\r\n"],
  ["01\n"],
  ["+1\n"],
  ["-1\n"],
  ["1.0\n"],
  ["1e0\n"],
  ["0x1\n"],
  ["1;id\n"],
  ["1\0\n"],
  ["١\n"],
  ["１\n"],
  ["4\n"],
  ["99\n"],
  ["999\n"],
  ["1000\n"],
  ["99999999999999999999\n"],
  ["-m\n"],
  ["-f\n"],
  ["1 -f /tmp/evil.conf\n"],
  ["0\n-f /tmp/evil.conf\n"],
  ["$(id)\n"],
  ["YES\n"],
  ["../1\n"],
  ["null\n"],
  ['{"id":1}\n'],
  [new Uint8Array([0x31, 0x0a, 0x31])],
  [new Uint8Array([0xff, 0xfe, 0x31, 0x0a])],
  [new Uint8Array(1 << 20).fill(0x31)],
  [...new Array(10_000).fill("1")],
];

describe("what is not set", () => {
  test.each(
    hostile.map((parts) => [JSON.stringify(parts.slice(0, 3).map((part) => part.slice(0, 20))), parts] as const),
  )("%s", async (_, parts) => {
    expect(await answer(parts)).toMatchObject({ kind: "failed", reason: expect.stringMatching(/^[ -~]+$/) });
    expect(sets()).toEqual([]);
  });

  test("two thousand lines made at random: only ids of the list reach nvpmodel", async () => {
    // What runs is counted by a script without a process for each refusal.
    const alphabet = "0123456789-fm \n\r\0;$/é";
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    for (let round = 0; round < 2000; round += 1) {
      const line = Array.from({ length: random(7) }, () => alphabet[random(alphabet.length)]).join("");
      const result = await answer([`${line}\n`], { nvpmodelPath: "/nowhere/nvpmodel" });
      const reachesIt = /^[0-3]$/.test(line);
      expect({ line, ran: result.kind === "failed" && result.reason.includes("/nowhere/nvpmodel") }).toEqual({
        line,
        ran: reachesIt,
      });
    }
  });

  test("a client that says nothing is given up", async () => {
    // It never ends by itself, and others still have time.
    const waiting = answerModeRequest(client(["1"], false), options).then(() => "given up too");
    const result = await answerModeRequest(client(["1"], false), { ...options, requestTimeoutMs: 200 });
    expect(result).toMatchObject({ kind: "failed" });
    expect(await Promise.race([waiting, Promise.resolve("waiting")])).toBe("waiting");
    expect(sets()).toEqual([]);
  });

  test("a mode of the list that is not allowed here", async () => {
    expect(await answer(["0\n"], { allowedIds: new Set([1, 3]) })).toMatchObject({
      kind: "failed",
      reason: "mode 0 is not one of the allowed modes: 1, 3",
    });
    expect(sets()).toEqual([]);
  });

  test("a mode that needs a reboot: nobody says YES", async () => {
    board.write("reboot-modes", "2\n");
    expect(await answer(["2\n"])).toMatchObject({ kind: "reboot-required" });
    expect(board.read("rebooted")).toBe("");
    expect(board.read("mode").trim()).toBe("1");
  });

  test.each([
    ["fail", /exited with 255: .*Permission denied/],
    ["hang", /did not end within 300 ms/],
  ] as const)("nvpmodel would %s", async (behaviour, reason) => {
    board.behave(behaviour);
    expect(await answer(["1\n"], { commandTimeoutMs: behaviour === "hang" ? 300 : 60_000 })).toMatchObject({
      kind: "failed",
      reason: expect.stringMatching(reason),
    });
  });
});

const asRoot = process.getuid?.() === 0;

describe("what it goes by is out of others' reach", () => {
  test.each([
    ["the list is not there", () => renameSync(options.confPath, `${options.confPath}.old`)],
    ["the list may be written by everybody", () => chmodSync(options.confPath, 0o666)],
    ["the list may be written by a group", () => chmodSync(options.confPath, 0o664)],
    ["the list's directory may be written by everybody", () => chmodSync(board.directory, 0o777)],
    [
      "the list is longer than any",
      () => writeFileSync(options.confPath, `< POWER_MODEL ID=1 NAME=A >\n${" ".repeat(1 << 21)}`),
    ],
    ["nvpmodel may be written by everybody", () => chmodSync(options.nvpmodelPath, 0o777)],
    ["nvpmodel is not there", () => renameSync(options.nvpmodelPath, `${options.nvpmodelPath}.old`)],
  ])("%s", async (_, spoil) => {
    spoil();
    expect(await answer(["1\n"])).toMatchObject({ kind: "failed" });
    expect(sets()).toEqual([]);
  });

  test("the list is a link, as on the boards: where it leads is what counts", async () => {
    const target = join(board.directory, "nvpmodel_p3767_0000.conf");
    renameSync(options.confPath, target);
    symlinkSync("nvpmodel_p3767_0000.conf", options.confPath);
    expect(await answer(["1\n"])).toEqual({ kind: "set" });
    chmodSync(target, 0o666);
    expect(await answer(["3\n"])).toMatchObject({ kind: "failed", reason: expect.stringContaining(target) });
    expect(sets()).toEqual(["-m 1"]);
  });

  test.if(asRoot)("the list, or nvpmodel, belongs to another user", async () => {
    for (const path of [options.confPath, options.nvpmodelPath]) {
      Bun.spawnSync(["chown", "65534", path]);
      expect(await answer(["1\n"])).toMatchObject({ kind: "failed", reason: expect.stringContaining("user 65534") });
      Bun.spawnSync(["chown", "0", path]);
    }
    expect(sets()).toEqual([]);
  });
});
