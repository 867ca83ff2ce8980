import { expect, test } from "bun:test";
import type { CostQuery, RatedMinute } from "#controller/store/costs/cost-rows.ts";
import { PostgresDatabase } from "#controller/store/postgres/postgres-database.ts";
import { migratePostgres } from "#controller/store/postgres/postgres-migrations.ts";
import { createPostgresStore } from "#controller/store/postgres/postgres-store.ts";
import { createRowQuarantine } from "#controller/store/row-quarantine.ts";
import type { Store } from "#controller/store/store.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import { aMinute } from "../../../fakes/builders.ts";
import { createPostgres } from "../../../fakes/postgres.ts";
import { createMemoryStore } from "../../memory-store.ts";

const firstMs = 20_000 * dayMs;
const agents = ["a1", "a2", "b1"];

function ratedOf(random: () => number, region = "hall"): RatedMinute {
  const whole = (max: number) => Math.floor(random() * max);
  const work = ["red", "blue", "green"].slice(0, whole(4)).flatMap((tenant) =>
    ["mini", "e5"].slice(0, whole(3)).map((model) => ({
      ...{ tenant, model, used: BigInt(whole(1e12)), offers: BigInt(whole(3) * whole(1e9)) },
      ...{ activeKwh: random(), computeMs: random() * 1000, requests: whole(50), tokens: whole(900) },
    })),
  );
  return {
    ...{ region: random() < 0.9 ? region : "yard", work, priceKey: random() < 0.9 ? "p1" : "p2" },
    gaps: random() < 0.8 ? "" : JSON.stringify([`thing ${whole(2)}`]),
    device: {
      ...{ energy: BigInt(whole(1e15)), owning: BigInt(whole(1e12)), energyKwh: random() },
      ...{ observedMs: random() * 60_000, measuredMs: random() * 60_000, computeMs: random() * 1000 },
    },
  };
}

/** Values without what the order of adding fractions makes. */
const rounded = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, each) =>
      typeof each === "bigint"
        ? `${each}n`
        : each instanceof Set
          ? [...each].sort()
          : typeof each === "number"
            ? Number(each.toPrecision(11))
            : each,
    ),
  );

const inOrder = (lines: readonly object[]) => lines.map((line) => JSON.stringify(rounded(line))).sort();

/** All that can be read of cost lines. */
async function readAll(store: Store) {
  const times = { startMs: firstMs - dayMs, endMs: firstMs + 9 * dayMs };
  const lines: Record<string, unknown> = {};
  for (const span of ["hour", "day"] as const)
    for (const of of ["agents", "fleet", "together"] as const) {
      const query: CostQuery = { span, of, ...times };
      lines[`${span} of ${of}`] = [inOrder(await store.deviceCosts(query)), inOrder(await store.workCosts(query))];
    }
  for (const span of ["hour", "day"] as const) {
    const query: CostQuery = { span, of: "agents", agents: ["a1", "none"], ...times };
    lines[`${span} of a1`] = [inOrder(await store.deviceCosts(query)), inOrder(await store.workCosts(query))];
    for (const hour of [0, 24])
      lines[`agents in ${span} ${hour}`] = await store.agentsWithLines(span, firstMs + hour * hourMs);
    for (const tenant of [null, "red"])
      for (const hour of [0, 1, 24, 30])
        lines[`used in ${span} ${hour} by ${tenant}`] = await store.usedByAgent(span, firstMs + hour * hourMs, {
          ...{ region: null, tenant, model: null },
        });
  }
  const gaps = new Map<string, number>();
  for (const { gaps: name, minutes } of await store.costGaps(times.startMs, times.endMs))
    gaps.set(name, (gaps.get(name) ?? 0) + minutes);
  return {
    ...lines,
    gaps: [...gaps].sort(),
    rollUps: rounded(await store.rollUps(times.startMs, times.endMs)),
    unrated: await store.unratedHours(times.startMs, times.endMs, 1000),
    rated: [
      await store.ratedHours(null, 1000),
      await store.ratedHours({ agentId: "a2", hourStartMs: firstMs + hourMs }, 2),
    ],
    due: await store.daysToRollUp(firstMs + 3 * dayMs),
    facts: await store.loadAgentFacts(),
  };
}

/** Does the same to both stores. */
async function act(random: () => number, stores: readonly Store[]): Promise<void> {
  const kind = random();
  const each = async (what: (store: Store) => Promise<unknown>) => {
    const results = [];
    for (const store of stores) results.push(await what(store));
    expect(results[1]).toEqual(results[0]);
  };
  const agentId = agents[Math.floor(random() * agents.length)] as string;
  const hourStartMs = firstMs + Math.floor(random() * 50) * hourMs;
  const hour = { agentId, hourStartMs };
  const price = (seed: number) => (minute: { traffic: { minuteStartMs: number } }) =>
    ratedOf(seededRandom(seed + minute.traffic.minuteStartMs / minuteMs));
  if (kind < 0.55) {
    const minutes = Array.from({ length: 1 + Math.floor(random() * 12) }, () => {
      const minuteStartMs = firstMs + Math.floor(random() * 50 * 60) * minuteMs;
      const seq = 1 + Math.floor(random() * 3000);
      const data = aMinute({ agentId: agents[seq % 3] as string, bootId: `boot-${seq % 5}`, seq, minuteStartMs });
      return { data, rated: random() < 0.15 ? null : ratedOf(random) };
    });
    await each((store) => Promise.all(minutes.map(({ data, rated }) => store.insertMinute(data, "hall", rated))));
  } else if (kind < 0.65) {
    const seed = Math.floor(random() * 1e6);
    await each((store) => store.rateHourAgain(hour, price(seed)));
  } else if (kind < 0.7) await each((store) => store.markUnrated([hour, { ...hour, agentId: "a1" }]));
  else if (kind < 0.73) await each((store) => store.markAgentUnrated(agentId));
  else if (kind < 0.82) await each((store) => store.rollUpHour(hourStartMs));
  else if (kind < 0.9) await each((store) => store.rollUpDay(Math.floor(hourStartMs / dayMs) * dayMs));
  else if (kind < 0.93) {
    const before = { hourMs: hourStartMs, dayMs: hourStartMs - dayMs, fleetHourMs: hourStartMs - 2 * dayMs };
    await each((store) => store.pruneCosts(before));
  } else if (kind < 0.96) await each((store) => store.markOlderHour());
  else {
    const facts = { region: "hall", board: "Thor", tariffUsdPerKwh: 0.2, amortisationUsdPerHour: null };
    await each((store) => store.saveAgentFacts({ agentId, fromMs: hourStartMs, facts }));
  }
}

test("cost lines of PostgreSQL are those of SQLite, whatever happens", async () => {
  const server = await createPostgres();
  for (let seed = 1; seed <= 2; seed += 1) {
    const database = new PostgresDatabase({
      ...{ url: server.url, username: "thormesh", password: () => "", tls: null, maxConnections: 2 },
      ...{ schema: `costs_${seed}`, isFenced: false },
    });
    await migratePostgres(database);
    const quarantine = createRowQuarantine(() => undefined);
    const stores = [createMemoryStore(), await createPostgresStore(database, quarantine)] as const;
    const random = seededRandom(seed);
    for (let step = 0; step < 120; step += 1) {
      await act(random, stores);
      if (step % 10 === 9) expect(await readAll(stores[1])).toEqual(await readAll(stores[0]));
    }
    // An agent that makes names up.
    const made = Array.from({ length: 6 }, (_, part) => {
      const rated = ratedOf(random);
      const work = Array.from({ length: 500 }, (_, each) => ({
        ...{ tenant: `t${part * 400 + each}`, model: "m", used: 1n, offers: 0n },
        ...{ activeKwh: 0, computeMs: 1, requests: 1, tokens: 1 },
      }));
      const data = aMinute({ agentId: "a9", seq: part + 1, minuteStartMs: firstMs + part * minuteMs });
      return { data, rated: { ...rated, region: "hall", work } };
    });
    for (const store of stores)
      await Promise.all(made.map(({ data, rated }) => store.insertMinute(data, "hall", rated)));
    expect(await readAll(stores[1])).toEqual(await readAll(stores[0]));
    for (const store of stores) await store.close();
  }
  await server.dispose();
}, 600_000);
