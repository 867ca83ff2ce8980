import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { PostgresDatabase } from "#controller/store/postgres/postgres-database.ts";
import { migratePostgres } from "#controller/store/postgres/postgres-migrations.ts";
import { createPostgresStore } from "#controller/store/postgres/postgres-store.ts";
import { createRowQuarantine } from "#controller/store/row-quarantine.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import { descendantsOf } from "../../../e2e/processes.ts";
import { aDesired, aMinute } from "../../../fakes/builders.ts";
import { createPostgres, type Postgres } from "../../../fakes/postgres.ts";
import { describeStore } from "../store-contract.ts";

let server: Postgres;
let schemas = 0;
beforeAll(async () => {
  server = await createPostgres();
});
afterAll(() => server.dispose());

const access = { username: "thormesh", password: () => "", tls: null, maxConnections: 4 } as const;
const newSchema = () => `test_${++schemas}`;

async function open(schema = newSchema(), isFenced = false) {
  const database = new PostgresDatabase({ url: server.url, schema, isFenced, ...access });
  await migratePostgres(database);
  const store = await createPostgresStore(
    database,
    createRowQuarantine(() => undefined),
  );
  return { database, store };
}

describeStore(
  "PostgreSQL",
  async () => {
    const { store } = await open();
    return { store, dispose: () => store.close() };
  },
  { prunedUnitMs: dayMs },
);

describe("a store that several controllers share", () => {
  const claim = (holder: string, forMs = 60_000) => ({ holder, about: "", realNowMs: Date.now(), forMs });

  test("who does not hold the lease may not write; who lost it is refused from the moment another has it", async () => {
    const schema = newSchema();
    const [first, second] = [await open(schema, true), await open(schema, true)];
    await expect(first.store.saveKept("a", 1)).rejects.toThrow(/another controller leads/);
    expect(await first.store.takeLease(claim("a", 1))).toBe(true);
    const term = first.store.leaseTerm() as number;
    await first.store.insertMinute(aMinute());
    await Bun.sleep(5);
    // Over, but nobody has taken it: nothing that it writes can contradict another.
    await first.store.saveKept("a", 1);
    expect(await second.store.takeLease(claim("b"))).toBe(true);
    expect(second.store.leaseTerm()).toBeGreaterThan(term);
    for (const write of [
      () => first.store.insertMinute(aMinute({ seq: 2 })),
      () => first.store.saveDesired(aDesired()),
      () => first.store.appendAudit({} as never),
      () => first.store.pruneMinutes(0, 0),
    ])
      await expect(write()).rejects.toThrow(/another controller leads/);
    expect(await first.store.takeLease(claim("a"))).toBe(false);
    expect(await second.store.insertMinute(aMinute({ seq: 2 }))).toBe("new");
    expect(await first.store.lastSeq("thor-1", "boot-1")).toBe(2);
    await first.store.close();
    await second.store.close();
  });

  test("a term is higher than any before, also by the clock when the store was restored from a copy", async () => {
    const { store } = await open();
    await store.takeLease(claim("a"));
    const term = store.leaseTerm() as number;
    await store.takeLease(claim("a"));
    expect(store.leaseTerm()).toBe(term);
    await store.giveUpLease("a");
    await store.takeLease(claim("b"));
    expect(store.leaseTerm()).toBeGreaterThan(term);
    expect(Math.abs(term - Date.now())).toBeLessThan(dayMs);
    await store.close();
  });

  test("a controller that hangs within a transaction keeps nobody from the lease for good", async () => {
    const schema = newSchema();
    const [first, second] = [await open(schema, true), await open(schema, true)];
    await first.store.takeLease(claim("a", 1));
    const hung = first.database.write(() => Bun.sleep(8_000)).catch(() => "ended by the server");
    while (!(await second.store.takeLease(claim("b")).catch(() => false))) await Bun.sleep(100);
    expect(await hung).toBe("ended by the server");
    await first.store.close();
    await second.store.close();
  });
});

describe("minutes of many agents", () => {
  test("that come together are stored together, each with its outcome", async () => {
    const { store } = await open();
    const minutes = Array.from({ length: 1_200 }, (_, index) => aMinute({ agentId: `a${index % 600}`, seq: 1 }));
    const outcomes = await Promise.all(minutes.map((minute) => store.insertMinute(minute, "hall")));
    expect([outcomes.slice(0, 600), outcomes.slice(600)].map((part) => [...new Set(part)])).toEqual([
      ["new"],
      ["repeat"],
    ]);
    expect((await store.service("hour", 0)).reduce((sum, { requests }) => sum + requests, 0)).toBe(
      600 * (aMinute().traffic.models[0]?.requests ?? 0),
    );
    await store.close();
  });

  test("one that the server refuses fails alone", async () => {
    const { store } = await open();
    const bad = { ...aMinute({ seq: 2 }), bootId: "with\0NUL" };
    const outcomes = await Promise.allSettled(
      [aMinute({ seq: 1 }), bad, aMinute({ seq: 3 })].map((each) => store.insertMinute(each)),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(store.fault()).toBeNull();
    await store.close();
  });

  test("a name is taken in whatever day it was", async () => {
    const { store } = await open();
    await store.insertMinute(aMinute({ minuteStartMs: 60_000 }));
    expect(await store.insertMinute(aMinute({ minuteStartMs: 3 * dayMs }))).toBe("kept-beside");
    expect(await store.insertMinute(aMinute({ minuteStartMs: 3 * dayMs }))).toBe("repeat");
    await store.close();
  });

  test("a day goes when all of it is over, and is there again for what comes late", async () => {
    const { store, database } = await open();
    const days = async () =>
      (
        await database.rows<{ n: string }>(
          `SELECT inhrelid::regclass::text AS n FROM pg_inherits WHERE inhparent = 'minute'::regclass ORDER BY 1`,
        )
      ).map(({ n }) => n);
    await store.insertMinute(aMinute({ seq: 1, minuteStartMs: 10 * dayMs }));
    await store.insertMinute(aMinute({ seq: 2, minuteStartMs: 11 * dayMs }));
    expect(await store.pruneMinutes(11 * dayMs - 1, 11 * dayMs)).toBe(0);
    expect(await days()).toEqual(["minute_19700111", "minute_19700112", "minute_19700113"]);
    expect(await store.pruneMinutes(11 * dayMs, 11 * dayMs)).toBe(1);
    expect(await days()).toEqual(["minute_19700112", "minute_19700113"]);
    expect(await store.insertMinute(aMinute({ seq: 3, minuteStartMs: 10 * dayMs }))).toBe("new");
    await store.close();
  });
});

test("a schema of a later version of the program is left alone", async () => {
  const { store, database } = await open();
  await database.run(`UPDATE schema_version SET version = 1000`);
  await expect(migratePostgres(database)).rejects.toThrow(/version 1000; this program knows up to/);
  await store.close();
});

test("a server that was killed: what was confirmed is there, what was not comes again once", async () => {
  const own = await createPostgres([]);
  const database = new PostgresDatabase({ url: own.url, schema: "fleet", isFenced: false, ...access });
  await migratePostgres(database);
  const store = await createPostgresStore(
    database,
    createRowQuarantine(() => undefined),
  );
  const stored = new Set<number>();
  let seq = 0;
  let isOver = false;
  const sending = (async () => {
    while (!isOver) {
      seq += 1;
      const minute = aMinute({ seq, minuteStartMs: seq * minuteMs, requests: 1 });
      // As an agent: again until it is confirmed.
      for (;;) {
        const outcome = await store.insertMinute(minute, "hall").catch(() => null);
        if (outcome !== null) break;
        await Bun.sleep(20);
      }
      stored.add(seq);
    }
  })();
  for (let kill = 0; kill < 3; kill += 1) {
    const before = stored.size;
    while (stored.size < before + 20) await Bun.sleep(5);
    await own.stop("SIGKILL");
    while (store.fault() === null) await Bun.sleep(5);
    await own.start();
  }
  isOver = true;
  await sending;
  expect(store.fault()).toBeNull();
  const found: number[] = [];
  for await (const minute of store.minutes(0, 1e12)) found.push(minute.seq);
  expect(found).toEqual([...stored]);
  const sums = (await store.service("hour", 0)).reduce((sum, { requests }) => sum + requests, 0);
  expect(sums).toBe(stored.size);
  await store.close();
  await own.dispose();
});

test("a server that hangs is given up on in time, and used again once it answers", async () => {
  const own = await createPostgres();
  const database = new PostgresDatabase({ url: own.url, schema: "fleet", isFenced: true, ...access });
  await migratePostgres(database);
  const store = await createPostgresStore(
    database,
    createRowQuarantine(() => undefined),
  );
  const claim = { holder: "a", about: "", realNowMs: Date.now(), forMs: 60_000 };
  expect(await store.takeLease(claim)).toBe(true);
  const all = [own.pid, ...descendantsOf(own.pid).map(({ pid }) => pid)];
  for (const pid of all) process.kill(pid, "SIGSTOP");
  await expect(store.takeLease(claim)).rejects.toThrow(/did not answer within 3 s/);
  expect(store.fault()).toMatch(/did not answer/);
  for (const pid of all) process.kill(pid, "SIGCONT");
  while (!(await store.takeLease(claim).catch(() => false))) await Bun.sleep(20);
  expect(store.fault()).toBeNull();
  await store.saveKept("a", 1);
  await store.close();
  await own.dispose();
});
