import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { FleetStreams } from "#controller/dashboard/fleet-streams.ts";
import { observeMinute } from "#controller/fleet/agent-state.ts";
import { aMinute, anAgent } from "../../fakes/builders.ts";
import { eventReader, type ReadEvent } from "../../fakes/event-reader.ts";
import { watchedFleet } from "../../fakes/watched-fleet.ts";

const startMs = 1_000_000;
const never = 2 ** 31 - 1;
const agentNamed = (agentId: string) =>
  anAgent({ agentId, nowMs: startMs, minutes: [aMinute({ agentId, minuteStartMs: 900_000 })] });

function setUp(ids: readonly string[], given: { readonly limits?: { all: number; perClient: number } } = {}) {
  const watched = watchedFleet(ids.map(agentNamed));
  const at = { monotonicMs: 0, allowed: true };
  const streams = new FleetStreams({
    watch: watched.watch,
    isAllowed: () => at.allowed,
    monotonicMs: () => at.monotonicMs,
    everyMs: never,
    ...given,
  });
  const open = (after: string | null = null, client = "me", withRows = true) => {
    const leaving = new AbortController();
    const request = new Request("http://localhost/api/v1/fleet/stream", { signal: leaving.signal });
    return Object.assign(eventReader(streams.open({ request, client, after, withRows })), {
      leave: () => leaving.abort(),
    });
  };
  /** Takes in a minute of an agent with this many requests per second. */
  const minuteOf = (agentId: string, perS: number, seq = 2) => {
    const minuteStartMs = 900_000 + 1_000 * seq;
    const minute = aMinute({ agentId, seq, minuteStartMs, requests: 60 * perS });
    watched.fleet.put(observeMinute(watched.fleet.get(agentId) ?? agentNamed(agentId), minute, minuteStartMs).state);
  };
  return { ...watched, at, streams, open, minuteOf };
}

const data = (event: ReadEvent | null) => event?.data as Record<string, unknown>;
const rows = (event: ReadEvent | null) => (data(event)["rows"] ?? []) as unknown[][];

/** Reads up to the end of the first state. */
async function untilCurrent(reader: ReturnType<typeof eventReader>): Promise<{ id: string; rows: unknown[][] }> {
  const all: unknown[][] = [];
  for (;;) {
    const event = await reader.until("change");
    if (event === null) throw new Error("the stream ended");
    all.push(...rows(event));
    if (event.id !== null) return { id: event.id, rows: all };
  }
}

describe("a stream of the fleet", () => {
  test("begins with a snapshot that names its fields, then all there is", async () => {
    const { streams, open } = setUp(["a", "b"]);
    const reader = open();
    expect((await reader.next())?.data).toBe("retry: 2000");
    const snapshot = data(await reader.next());
    expect(snapshot).toMatchObject({
      nowMs: startMs,
      agents: 2,
      conditions: ["serving", "standby", "draining", "offline"],
    });
    const change = await reader.next();
    expect(change).toMatchObject({ event: "change", id: expect.stringMatching(/^[0-9a-f]{8}-1$/) });
    expect(data(change)).toMatchObject({ view: { fleet: "hall" }, figures: { serving: { value: 2, unit: "agents" } } });
    for (const row of rows(change)) expect(row.length).toBe((snapshot["fields"] as string[]).length);
    streams.stop();
  });

  test("then tells what changed, once a look", async () => {
    const { streams, open, minuteOf } = setUp(["a", "b"]);
    const reader = open();
    await untilCurrent(reader);
    minuteOf("b", 7);
    streams.tick();
    const change = await reader.next();
    expect(rows(change).map(([id]) => id)).toEqual(["b"]);
    expect(rows(change)[0]?.[2]).toBe(7);
    streams.stop();
  });

  test("a large fleet comes in pieces, and only the last has an id: a stream cut off between begins anew", async () => {
    const { streams, open } = setUp(Array.from({ length: 1_201 }, (_, index) => `a${index}`));
    const reader = open();
    const pieces: (ReadEvent | null)[] = [];
    do pieces.push(await reader.until("change"));
    while (pieces.at(-1)?.id === null);
    expect(pieces.map((piece) => rows(piece).length)).toEqual([500, 500, 201]);
    expect(pieces.filter((piece) => piece?.id !== null).length).toBe(1);
    streams.stop();
  });

  test("goes on after the event that a client names, with all that it missed", async () => {
    const { streams, open, minuteOf, fleet } = setUp(["a", "b", "c"]);
    const first = open();
    const { id } = await untilCurrent(first);
    await first.cancel();
    for (let seq = 2; seq < 12; seq += 1) {
      minuteOf("a", seq, seq);
      streams.tick();
    }
    fleet.remove("c");
    streams.tick();
    const again = open(id);
    const change = await again.until("change");
    expect(rows(change)).toEqual([["a", 0, 11, 350, 9.9, 30, 50, 971, 0]]);
    expect(data(change)["gone"]).toEqual(["c"]);
    streams.stop();
  });

  test.each([
    ["of another run", "00000000-1"],
    ["that is none", "nonsense"],
    ["of the future", null],
  ])("an id %s: reset, then a snapshot", async (_, id) => {
    const { streams, watch, open } = setUp(["a"]);
    const reader = open(id ?? `${watch.run}-99`);
    await reader.next();
    expect((await reader.next())?.event).toBe("reset");
    expect((await reader.next())?.event).toBe("snapshot");
    expect((await untilCurrent(reader)).rows.length).toBe(1);
    streams.stop();
  });

  test("a controller started anew knows no ids of the one before", async () => {
    const before = setUp(["a"]);
    const { id } = await untilCurrent(before.open());
    before.streams.stop();
    const after = setUp(["a"]);
    const reader = after.open(id);
    expect(await reader.until("reset")).toMatchObject({ data: { reason: "the controller has restarted" } });
    expect((await reader.next())?.event).toBe("snapshot");
    after.streams.stop();
  });

  test("a slow reader gets the newest of each agent, and nothing is kept for it meanwhile", async () => {
    const { streams, watch, open, minuteOf } = setUp(["a", "b"]);
    const reader = open();
    await untilCurrent(reader);
    for (let seq = 2; seq < 1_002; seq += 1) {
      minuteOf(seq % 2 === 0 ? "a" : "b", seq, seq);
      streams.tick();
    }
    const change = await reader.next();
    expect(rows(change).map((row) => row[2])).toEqual([1_000, 1_001]);
    expect(change?.id).toEndWith(`-${watch.event}`);
    minuteOf("a", 5, 2_000);
    streams.tick();
    expect(rows(await reader.next()).length).toBe(1);
    streams.stop();
  });

  test("a thousand changes leave nothing behind, with a reader and without", async () => {
    const { streams, open, minuteOf } = setUp(Array.from({ length: 50 }, (_, index) => `a${index}`));
    const [reader, slow] = [open(), open()];
    await untilCurrent(reader);
    await untilCurrent(slow);
    let seq = 1;
    const thousandChanges = async () => {
      for (let each = 0; each < 1_000; each += 1) {
        seq += 1;
        minuteOf(`a${seq % 50}`, seq % 97, seq);
        streams.tick();
        await reader.next();
      }
      Bun.gc(true);
      return heapStats().heapSize;
    };
    await thousandChanges();
    const before = await thousandChanges();
    // A queue of a thousand changes would be megabytes.
    expect((await thousandChanges()) - before).toBeLessThan(500_000);
    streams.stop();
  });

  test("without rows it has figures only", async () => {
    const { streams, open, minuteOf } = setUp(["a"]);
    const reader = open(null, "me", false);
    expect(data(await reader.until("snapshot"))["agents"]).toBe(0);
    expect((await untilCurrent(reader)).rows).toEqual([]);
    minuteOf("a", 9);
    streams.tick();
    const change = data(await reader.next());
    expect(change["figures"]).toMatchObject({ textsPerS: { value: 9 } });
    expect(change["rows"]).toBeUndefined();
    streams.stop();
  });

  test("a comment comes every fifteen seconds in which nothing did", async () => {
    const { at, streams, open } = setUp(["a"]);
    const reader = open();
    await untilCurrent(reader);
    let comment: ReadEvent | null | undefined;
    void reader.next().then((event) => {
      comment = event;
    });
    while (comment === undefined) {
      at.monotonicMs += 1_000;
      streams.tick();
      await Bun.sleep(1);
    }
    expect(comment?.data).toBe(": still here");
    expect(at.monotonicMs).toBeGreaterThanOrEqual(15_000);
    streams.stop();
  });

  test("hostile ids stay text of one line", async () => {
    const id = 'x\n\nevent: end\ndata: {"again":false}\u202e<script>"';
    const { streams, open } = setUp([id]);
    const { rows } = await untilCurrent(open());
    expect(rows.map(([name]) => name)).toEqual([id]);
    streams.stop();
  });
});

describe("streams end", () => {
  test("with the server, and say that it is worth to come back", async () => {
    const { streams, open } = setUp(["a"]);
    const readers = [open(), open()];
    for (const reader of readers) await untilCurrent(reader);
    streams.stop();
    for (const reader of readers) {
      expect(await reader.next()).toMatchObject({ event: "end", data: { again: true } });
      expect(await reader.next()).toBeNull();
    }
    expect(streams.size).toBe(0);
    expect(() => open()).toThrow("stopping");
  });

  test("with the right to them, within seconds", async () => {
    const { at, streams, open, minuteOf } = setUp(["a"]);
    const reader = open();
    await untilCurrent(reader);
    at.allowed = false;
    at.monotonicMs = 2_000;
    minuteOf("a", 9);
    streams.tick();
    expect(await reader.next()).toMatchObject({ event: "end", data: { again: false } });
    expect(await reader.next()).toBeNull();
    expect(streams.size).toBe(0);
  });

  test("with their client, however it leaves", async () => {
    const { streams, open } = setUp(["a"]);
    const [cancelled, left] = [open(), open()];
    for (const reader of [cancelled, left]) await untilCurrent(reader);
    expect(streams.size).toBe(2);
    await cancelled.cancel();
    expect(streams.size).toBe(1);
    left.leave();
    expect(streams.size).toBe(0);
    open().leave();
    expect(streams.size).toBe(0);
  });

  test("are bounded, for each client and in all", () => {
    const { streams, open } = setUp(["a"], { limits: { all: 3, perClient: 2 } });
    open(null, "x");
    const second = open(null, "x");
    expect(() => open(null, "x")).toThrow("expected at most 2 per client");
    open(null, "y");
    expect(() => open(null, "z")).toThrow("expected at most 3 in all");
    expect(streams.refused).toBe(2);
    second.leave();
    open(null, "z");
    expect(streams.size).toBe(3);
    streams.stop();
  });
});
