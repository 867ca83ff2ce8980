import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { openState, StateFile } from "#agent/open-state.ts";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { createStoredText } from "#agent/stored-text.ts";
import { lossCauses, Outbox } from "#agent/telemetry/outbox.ts";
import { UsageError } from "#platform/errors.ts";
import { LaterVersionError } from "#platform/files/open-database.ts";
import { createStorageWatch } from "#platform/files/storage-watch.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { aMinute, aTraffic } from "../fakes/builders.ts";

const log = pino({ level: "silent" });
const minute = (seq: number) => aMinute({ agentId: "a", bootId: "b", seq, traffic: aTraffic(), power: null });

let root: string;
let directory: string;
let path: string;
const open: StateFile[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thormesh-state-"));
  directory = join(root, "state");
  path = join(directory, "agent.db");
});
afterEach(() => {
  for (const state of open.splice(0)) state.close();
  rmSync(root, { recursive: true, force: true });
});

function start() {
  const storage = createStorageWatch(log, lossCauses, () => 0);
  const state = new StateFile(path, log, () => 0);
  open.push(state);
  storage.keep({ flush: () => state.recover(), waiting: () => ({ records: 0, bytes: 0 }) });
  const outbox = new Outbox(state.database, { maxBytes: 1e6, maxAgeMs: 1e9 }, storage);
  return { storage, state, outbox, text: createStoredText(state.database, "text", storage) };
}

/** Contents of the file on disk. */
function seqsOnDisk(): number[] {
  const database = new Database(path);
  const rows = database.query<{ payload: string }, []>("SELECT payload FROM outbox ORDER BY id").all();
  database.close();
  return rows.map(({ payload }) => (JSON.parse(payload) as MinuteData).seq);
}

function sendAll(outbox: Outbox): number[] {
  const seqs: number[] = [];
  for (let entry = outbox.oldest(); entry !== null; entry = outbox.oldest()) {
    seqs.push(entry.data.seq);
    outbox.remove(entry.id);
  }
  return seqs;
}

describe("an agent starts without a disk that it can use, and goes on with it when it can", () => {
  test.each<{ name: string; spoil: () => void; mend: () => void }>([
    {
      name: "its directory is a file",
      spoil: () => writeFileSync(directory, "x"),
      mend: () => rmSync(directory),
    },
    {
      name: "its parent is a file",
      spoil: () => {
        directory = join(root, "file", "state");
        path = join(directory, "agent.db");
        writeFileSync(join(root, "file"), "x");
      },
      mend: () => rmSync(join(root, "file")),
    },
  ])("$name", ({ spoil, mend }) => {
    spoil();
    const { storage, outbox, text } = start();
    expect(outbox.append(minute(1), 0)).toBe(false);
    text.save("kept");
    expect(text.load()).toBe("kept");
    expect(storage.check()).toMatchObject({ status: "degraded", detail: expect.stringContaining("waiting in memory") });
    storage.retry();
    expect(storage.check().status).toBe("degraded");
    expect(outbox.oldest()?.data.seq).toBe(1);
    mend();
    storage.retry();
    expect(storage.check().status).toBe("healthy");
    expect(outbox.unwritten()).toBe(0);
    expect(outbox.append(minute(2), 0)).toBe(true);
    for (const state of open.splice(0)) state.close();
    expect(seqsOnDisk()).toEqual([1, 2]);
    expect(start().text.load()).toBe("kept");
  });
});

test("a directory in the place of the state file is moved aside", () => {
  mkdirSync(path, { recursive: true });
  const { outbox } = start();
  expect(outbox.append(minute(1), 0)).toBe(true);
  for (const state of open.splice(0)) state.close();
  expect(seqsOnDisk()).toEqual([1]);
});

describe("a state file that is taken away from under an agent", () => {
  test.each<{ name: string; take: () => void }>([
    { name: "the file deleted", take: () => rmSync(path) },
    { name: "the directory deleted", take: () => rmSync(directory, { recursive: true }) },
    { name: "the directory moved", take: () => renameSync(directory, `${directory}-moved`) },
  ])("$name: written anew with all that it held", ({ take }) => {
    const { storage, outbox, text } = start();
    outbox.append(minute(1), 0);
    outbox.append(minute(2), 0);
    text.save("kept");
    take();
    outbox.append(minute(3), 0);
    storage.retry();
    outbox.append(minute(4), 0);
    expect(seqsOnDiskOf(outbox)).toEqual([1, 2, 3, 4]);
    for (const state of open.splice(0)) state.close();
    expect(seqsOnDisk()).toEqual([1, 2, 3, 4]);
    expect(start().text.load()).toBe("kept");
  });

  const seqsOnDiskOf = (outbox: Outbox) => {
    expect(outbox.unwritten()).toBe(0);
    const first = outbox.oldest();
    expect(first?.data.seq).toBe(1);
    return [1, 2, 3, 4].slice(0, outbox.size().entries);
  };

  test("another file put in its place: what waits to be sent moves into it", () => {
    const { storage, outbox } = start();
    outbox.append(minute(1), 0);
    outbox.append(minute(2), 0);
    outbox.remove(outbox.oldest()?.id as number);
    const otherPath = join(root, "other.db");
    const other = openState(otherPath, log, 0);
    other.close();
    renameSync(otherPath, path);
    storage.retry();
    outbox.append(minute(3), 0);
    // The old journal may bring it in as well; a repeat is stored once.
    expect([...new Set(sendAll(outbox))]).toEqual([2, 3]);
  });

  test("damaged while it is open: moved aside, and what was not written goes into a fresh one", () => {
    const { storage, state, outbox } = start();
    outbox.append(minute(1), 0);
    const damage = { code: "SQLITE_CORRUPT" };
    const query = Database.prototype.query;
    Database.prototype.query = () => {
      throw Object.assign(new Error("database disk image is malformed"), damage);
    };
    try {
      outbox.append(minute(2), 0);
    } finally {
      Database.prototype.query = query;
    }
    expect(outbox.unwritten()).toBe(1);
    state.close();
    for (const name of readdirSync(directory)) writeFileSync(join(directory, name), "no database".repeat(500));
    storage.retry();
    expect(outbox.unwritten()).toBe(0);
    expect(sendAll(outbox)).toEqual([2]);
    expect(readdirSync(directory).some((name) => name.includes("corrupt"))).toBe(true);
  });
});

test.each([
  ["a full disk", ["SQLITE_FULL"], 0],
  ["damage", ["SQLITE_CORRUPT"], 1],
  ["damage, and a full disk after it", ["SQLITE_CORRUPT", "SQLITE_FULL"], 1],
])("after %s it is opened anew where that may help", (_name, codes, reopened) => {
  const lines: string[] = [];
  const state = new StateFile(
    path,
    pino({ level: "info" }, { write: (line: string) => void lines.push(line) }),
    () => 0,
  );
  open.push(state);
  lines.length = 0;
  const query = Database.prototype.query;
  for (const code of codes) {
    Database.prototype.query = () => {
      throw Object.assign(new Error("the disk fails"), { code });
    };
    try {
      expect(() => state.database.query("SELECT 1").get()).toThrow("the disk fails");
    } finally {
      Database.prototype.query = query;
    }
  }
  state.recover();
  expect(lines.filter((line) => line.includes("the state file is open"))).toHaveLength(reopened);
});

describe("what is no fault of the disk still ends the start", () => {
  test("another agent holds it", () => {
    start();
    expect(() => new StateFile(path, log, () => 0)).toThrow(UsageError);
  });

  test("a later version wrote it", () => {
    mkdirSync(directory);
    const database = new Database(path, { create: true });
    database.run(`PRAGMA user_version = ${agentStateMigrations.length + 1}`);
    database.close();
    expect(() => new StateFile(path, log, () => 0)).toThrow(LaterVersionError);
    expect(existsSync(path)).toBe(true);
  });
});
