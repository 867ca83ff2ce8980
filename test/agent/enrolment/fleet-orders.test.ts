import { describe, expect, test } from "bun:test";
import { decideOrder, type OrderRule } from "#agent/enrolment/decide-order.ts";
import { explainOrder } from "#agent/enrolment/explain-order.ts";
import { createFleetOrders } from "#agent/enrolment/fleet-orders.ts";
import { ordersHealth } from "#agent/enrolment/orders-health.ts";
import { beginTerm, createOrderSeals } from "#controller/identity/order-seals.ts";
import { makeAuthority } from "#platform/certificates/certificate-authority.ts";
import { newKey } from "#platform/certificates/device-key.ts";
import { createLogger } from "#platform/log.ts";
import type { Desired, Order } from "#protocol/messages.ts";
import { createMemoryStore } from "../../controller/memory-store.ts";
import { aDesired } from "../../fakes/builders.ts";

const log = createLogger("test", "silent");
const nowMs = 1_000_000;
const order: Order = { term: 5, sequence: 7, expiresAtMs: nowMs, signature: "s".repeat(86) };

test.each<[string, Partial<Parameters<typeof decideOrder>[0]>, OrderRule]>([
  ["the first", {}, "obeyed"],
  ["the next", { held: { term: 5, sequence: 6 } }, "obeyed"],
  ["the first of a later run", { held: { term: 4, sequence: 900 } }, "obeyed"],
  ["the same once more", { held: { term: 5, sequence: 7 } }, "repeated"],
  ["the same once more, expired since", { held: { term: 5, sequence: 7 }, nowMs: nowMs + 1 }, "repeated"],
  ["an older one of the same run", { held: { term: 5, sequence: 8 } }, "replayed"],
  ["one of an earlier run", { held: { term: 6, sequence: 1 } }, "replayed"],
  ["in its last millisecond", { nowMs }, "obeyed"],
  ["after it", { nowMs: nowMs + 1 }, "expired"],
  ["without a seal", { order: null }, "unsigned"],
  ["with the seal of another", { isGenuine: false }, "forged"],
])("an order: %s", (_name, inputs, rule) => {
  expect(decideOrder({ order, isGenuine: true, held: null, nowMs, ...inputs })).toBe(rule);
});

test("each refusal has a sentence of its own, what is obeyed has none", () => {
  const sentences = (["unsigned", "forged", "expired", "replayed"] as const).map((rule) =>
    explainOrder(rule, order, nowMs),
  );
  expect(new Set(sentences).size).toBe(4);
  expect(sentences.every((sentence) => sentence !== null)).toBe(true);
  expect([explainOrder("obeyed", order, nowMs), explainOrder("repeated", order, nowMs)]).toEqual([null, null]);
});

describe("an agent that has joined", () => {
  const key = newKey();
  const bytes = (message: object) => new TextEncoder().encode(JSON.stringify(message));
  const seals = (term: number, by = key, fleet = "hall") => createOrderSeals({ key: by, fleet, term });

  async function joined(memory = { text: null as string | null }) {
    const authority = await makeAuthority(key, "hall", Date.now());
    return createFleetOrders({
      ...{ fleet: "hall", authority, nowMs: () => nowMs },
      memory: {
        load: () => memory.text,
        save(text) {
          memory.text = text;
        },
      },
    });
  }

  test("obeys its authority alone, each order once, also after a restart", async () => {
    const memory = { text: null as string | null };
    const orders = await joined(memory);
    const controller = seals(5);
    const first = controller.seal("desired", aDesired(), nowMs + 1);
    const second = controller.seal("desired", aDesired({ version: 2 }), nowMs + 1);
    const take = (message: Desired, by = orders) => by.take("desired", message, bytes(message));
    expect([take(first), take(second), take(second), take(first)]).toEqual([
      "obeyed",
      "obeyed",
      "repeated",
      "replayed",
    ]);
    const restarted = await joined(memory);
    expect([take(first, restarted), take(second, restarted)]).toEqual(["replayed", "repeated"]);
    expect(take(seals(4).seal("desired", aDesired({ version: 3 }), nowMs + 1))).toBe("replayed");
    expect(take(seals(6).seal("desired", aDesired({ version: 3 }), nowMs + 1))).toBe("obeyed");
    expect(take(seals(7).seal("desired", aDesired(), nowMs - 1))).toBe("expired");
    expect([...orders.refused()]).toEqual([
      ["replayed", 2],
      ["expired", 1],
    ]);
    expect(ordersHealth(orders).status).toBe("degraded");
    expect(ordersHealth(await joined()).status).toBe("healthy");
  });

  test("refuses every change of what was signed, and what was signed for something else", async () => {
    const orders = await joined();
    const sealed = seals(5).seal("desired", aDesired(), nowMs + 1) as Desired & { order: Order };
    const changed: Desired[] = [
      { ...sealed, role: "draining" },
      { ...sealed, agentId: "thor-2" },
      { ...sealed, order: { ...sealed.order, sequence: 9 } },
      { ...sealed, order: { ...sealed.order, term: 9 } },
      { ...sealed, order: { ...sealed.order, expiresAtMs: nowMs + 2 } },
      { ...sealed, order: { ...sealed.order, signature: "A".repeat(86) } },
      seals(5, newKey()).seal("desired", aDesired(), nowMs + 1),
      seals(5, key, "other").seal("desired", aDesired(), nowMs + 1),
      seals(5).seal("cmd", aDesired(), nowMs + 1),
    ];
    for (const message of changed) expect(orders.take("desired", message, bytes(message))).toBe("forged");
    expect(orders.take("desired", aDesired(), bytes(aDesired()))).toBe("unsigned");
    expect(orders.take("desired", sealed, bytes(sealed))).toBe("obeyed");
  });

  test("reads the order of a later version, whose fields it does not know", async () => {
    const orders = await joined();
    const later = seals(5).seal("desired", { ...aDesired(), later: { field: "1\u001b" } }, nowMs + 1);
    const { later: _, ...known } = later;
    expect(orders.take("desired", known, bytes(later))).toBe("obeyed");
    expect(orders.take("desired", known, bytes(known))).toBe("forged");
  });
});

test("every run of a controller has a higher term, also after its clock was set back or its store was lost", async () => {
  const store = createMemoryStore();
  expect(await beginTerm(store, 5_000, log)).toBe(5_000);
  expect(await beginTerm(store, 5_000, log)).toBe(5_001);
  expect(await beginTerm(store, 1_000, log)).toBe(5_002);
  expect(await beginTerm(store, 9_000, log)).toBe(9_000);
  expect(await beginTerm(createMemoryStore(), 9_500, log)).toBe(9_500);
  const full = { ...store, saveKept: () => Promise.reject(new Error("the disk is full")) };
  expect(await beginTerm(full, 9_600, log)).toBe(9_600);
});
