import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { closeStateDirectory } from "#platform/files/close-to-others.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

const log = pino({ level: "silent" });
const modeOf = (path: string) => statSync(path).mode & 0o777;
let directory: ReturnType<typeof temporaryDirectory>;
let state: string;
beforeEach(() => {
  directory = temporaryDirectory();
  state = join(directory.path, "state");
  mkdirSync(join(state, "models", "own"), { recursive: true });
  chmodSync(directory.path, 0o755);
  chmodSync(state, 0o755);
  for (const name of ["agent.db", "agent.db-wal", "models/own/model.onnx"]) writeFileSync(join(state, name), "x");
});
afterEach(() => directory.remove());

describe("a state directory of an earlier version", () => {
  test("is closed to others with all that is in it, and only that", () => {
    chmodSync(join(state, "agent.db"), 0o666);
    closeStateDirectory(state, log);
    const modes = ["", "agent.db", "agent.db-wal", "models", "models/own", "models/own/model.onnx"].map((name) =>
      modeOf(join(state, name)).toString(8),
    );
    expect(modes).toEqual(["700", "600", "600", "700", "700", "600"]);
    expect(modeOf(directory.path)).toBe(0o755);
  });

  test("secrets in it that others could read are named, and no others", () => {
    const lines: { level: number; files?: string[] }[] = [];
    const heard = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
    for (const name of ["open", "shut"]) mkdirSync(join(state, name));
    for (const name of ["ca.key", "broker.password", "open/identity.json", "shut/b.key", "tight.key", "cards.keys"])
      writeFileSync(join(state, name), "x");
    chmodSync(join(state, "shut"), 0o700);
    chmodSync(join(state, "tight.key"), 0o600);
    symlinkSync(join(state, "tight.key"), join(state, "link.key"));
    closeStateDirectory(state, heard);
    expect(lines.map(({ level, files = [] }) => ({ level, files: files.sort() }))).toEqual([
      { level: 40, files: ["broker.password", "ca.key", "open/identity.json"].map((name) => join(state, name)) },
    ]);
    closeStateDirectory(state, heard);
    expect(lines).toHaveLength(1);
  });

  test("nobody could read what a closed directory holds", () => {
    const lines: string[] = [];
    chmodSync(state, 0o700);
    writeFileSync(join(state, "ca.key"), "x");
    closeStateDirectory(state, pino({}, { write: (line: string) => void lines.push(line) }));
    expect(modeOf(join(state, "ca.key"))).toBe(0o600);
    expect(lines).toEqual([]);
  });

  test("what a link leads to is left alone", () => {
    const outside = join(directory.path, "outside");
    mkdirSync(outside, { mode: 0o755 });
    symlinkSync(outside, join(state, "link"));
    closeStateDirectory(state, log);
    expect(modeOf(outside)).toBe(0o755);
  });

  test("a directory that is not there yet is no fault", () => {
    closeStateDirectory(join(state, "nowhere"), log);
  });

  test.each(["/", "/tmp", "/var/lib", "/usr/local", tmpdir()])("%s is nobody's own", (path) => {
    const before = statSync(path, { throwIfNoEntry: false })?.mode;
    closeStateDirectory(path, log);
    expect(statSync(path, { throwIfNoEntry: false })?.mode).toBe(before as number);
  });

  test.if(process.getuid?.() === 0)("what belongs to another user is left as it is", () => {
    chownSync(join(state, "agent.db"), 65_534, 65_534);
    closeStateDirectory(state, log);
    expect(modeOf(join(state, "agent.db"))).toBe(0o644);
  });
});
