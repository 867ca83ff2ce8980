import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { clocksAgreeToMs, createDesiredDocument, supersedes } from "#agent/mesh/desired-document.ts";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { createLogger } from "#platform/log.ts";
import { bounds } from "#protocol/bounds.ts";
import type { Desired } from "#protocol/messages.ts";
import { aDesired } from "../../fakes/builders.ts";

const nowMs = 1_700_000_000_000;
const highest = bounds.count32;

test.each<[string, Partial<Desired>, Partial<Desired> | null, boolean]>([
  ["the first", {}, null, true],
  ["the same again", {}, {}, false],
  ["the next version", { version: 2 }, { version: 1 }, true],
  ["an older one", { version: 1, issuedAtMs: nowMs - 2 }, { version: 2, issuedAtMs: nowMs - 1 }, false],
  ["a version counted from one again, but later", { version: 1 }, { version: 9, issuedAtMs: nowMs - 1 }, true],
  ["the next version of a clock that was set back", { version: 10, issuedAtMs: 5 }, { version: 9 }, true],
  ["a version far beyond the next, not later", { version: highest, issuedAtMs: nowMs - 1 }, { version: 9 }, false],
  [
    "after one of the far future: any",
    { version: 1, issuedAtMs: 5 },
    { version: highest, issuedAtMs: bounds.timeMs },
    true,
  ],
  [
    "of a lower term, later",
    { version: 9, term: nowMs - 9 },
    { version: 1, issuedAtMs: nowMs - 1, term: nowMs - 8 },
    false,
  ],
  ["of a higher term, earlier", { version: 1, issuedAtMs: 5, term: nowMs - 8 }, { version: 9, term: nowMs - 9 }, true],
  ["of the same term: the next version", { version: 2, term: 5 }, { version: 1, term: 5 }, true],
  ["without a term, later", { version: 2 }, { version: 1, issuedAtMs: nowMs - 1, term: nowMs - 8 }, true],
  [
    "after a term of the far future: whatever is later",
    { version: 2, term: 5 },
    { version: 1, issuedAtMs: nowMs - 1, term: bounds.timeMs },
    true,
  ],
  ["after the highest version: whatever is later", { version: 1 }, { version: highest, issuedAtMs: nowMs - 1 }, true],
])("%s", (_name, document, held, expected) => {
  const from = (given: Partial<Desired>) => aDesired({ issuedAtMs: nowMs, ...given });
  expect(supersedes(from(document), held === null ? null : from(held), nowMs)).toBe(expected);
});

/** Numbers that look random and are the same in every run. */
function createRandom(seed: number) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const openState = () => {
  const database = new Database(":memory:", { strict: true });
  for (const migration of agentStateMigrations) database.run(migration);
  return database;
};
const log = createLogger("test", "silent");

describe("whatever was forged before", () => {
  test.each(Array.from({ length: 200 }, (_, seed) => seed + 1))(
    "the controller's next word is followed (seed %p)",
    (seed) => {
      const random = createRandom(seed);
      const pick = <T>(...values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
      const database = openState();
      let now = nowMs;
      let document = createDesiredDocument(database, () => now, log);
      for (let step = 0; step < 12; step += 1) {
        const version = pick(1, 2, 1000, highest - 1, highest, Math.ceil(random() * highest));
        const issuedAtMs = Math.round(
          pick(0, now, now + clocksAgreeToMs, now + 3_600_000, bounds.timeMs, now * random()),
        );
        document.accept(aDesired({ version, issuedAtMs, role: "draining" }));
        now += Math.round(random() * 60_000);
        if (random() < 0.3) document = createDesiredDocument(database, () => now, log);
      }
      // What the controller does next: a version above the one that is reported, or from one again, issued now.
      const genuine = (at: number) => {
        const reported = document.current()?.version ?? 0;
        const version = reported >= highest ? 1 : reported + 1;
        return document.accept(aDesired({ version, issuedAtMs: at, role: "active" }));
      };
      if (!genuine(now)) {
        now += clocksAgreeToMs + 1;
        expect(genuine(now)).toBe(true);
      }
      expect(document.current()?.role).toBe("active");
    },
  );

  test.each([
    ["of another version of the protocol", '{"v":9}'],
    ["with the version 1e300", JSON.stringify(aDesired({ version: 1e300, role: "draining" }))],
    ["cut off", '{"v":1,"agentId":"thor-1"'],
    ["without end", JSON.stringify(aDesired({ reason: "x".repeat(1_000_000) }))],
    ["empty", ""],
  ])("a stored document %s is as good as none", (_name, content) => {
    const database = openState();
    database.run("INSERT INTO document VALUES ('desired', ?)", [content]);
    const document = createDesiredDocument(database, () => nowMs, log);
    expect(document.current()).toBeNull();
    expect(document.accept(aDesired())).toBe(true);
  });
});

describe("by order, on a device that has joined", () => {
  const order = { term: 1, sequence: 1, expiresAtMs: nowMs, signature: "s".repeat(86) };

  test("the newest order counts, whatever versions and times say; the same document does not count twice", () => {
    const database = openState();
    const document = createDesiredDocument(database, () => nowMs, log, undefined, true);
    expect(document.accept(aDesired({ version: 900, issuedAtMs: nowMs, order }))).toBe(true);
    const restored = aDesired({ version: 3, issuedAtMs: nowMs - 1_000_000, order });
    expect(document.accept(restored)).toBe(true);
    expect(document.accept({ ...restored, order: { ...order, sequence: 2 } })).toBe(false);
    expect(createDesiredDocument(database, () => nowMs, log, undefined, true).current()).toEqual(restored);
  });

  test("a document from before it joined is not followed", () => {
    const database = openState();
    createDesiredDocument(database, () => nowMs, log).accept(aDesired({ role: "draining" }));
    expect(createDesiredDocument(database, () => nowMs, log, undefined, true).current()).toBeNull();
  });
});
