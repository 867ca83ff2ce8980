import { describe, expect, test } from "bun:test";
import { FairQueue } from "#agent/serving/batching/fair-queue.ts";
import { QueuedTexts } from "#agent/serving/batching/queued-texts.ts";
import type { OpenRequest, QueuedText, QueuedVector } from "#agent/serving/batching/tenant-texts.ts";

function setUp() {
  let now = 0;
  const texts = new QueuedTexts(() => now);
  const fair = new FairQueue(() => 1);
  const open = (tokens: number, tenant = "red"): OpenRequest => ({
    claim: fair.open(tenant, tokens, 0),
    texts: texts.ofTenant(tenant),
    deadlineMs: Number.POSITIVE_INFINITY,
    unanswered: new Map(),
    sentTexts: 0,
    textsToCome: 0,
    tokensToCome: 0,
  });
  const counts = () => [texts.waitingTexts, texts.waitingTokens, texts.outstandingTexts];
  return { texts, open, counts, pass: (ms: number) => (now += ms) };
}

const text = (id: number, length = 4) => new Uint32Array(length).fill(id);
const waiting = ({ texts }: OpenRequest) => [...texts.waiting()] as QueuedText[];
/** Outcome of a promise; "waits" while there is none. */
const outcome = (promise: Promise<QueuedVector>) =>
  Promise.race([
    promise.catch((error) => error),
    new Promise<string>((resolve) => setImmediate(() => resolve("waits"))),
  ]);
const vector: QueuedVector = { vector: Float32Array.of(1), computeMs: 1, waitMs: 0 };

test("texts are counted from their arrival until their batch is sent, and outstanding until it is answered", async () => {
  const { texts, open, counts, pass } = setUp();
  const red = open(10);
  const blue = open(10, "blue");
  pass(5);
  const results = [texts.enter(text(1), red), texts.enter(text(2, 6), red), texts.enter(text(1), blue)];
  expect(counts()).toEqual([3, 14, 3]);
  expect([red.texts.waitingTokens, blue.texts.waitingTokens]).toEqual([10, 4]);
  expect(waiting(red).map(({ arrival, arrivedMs, tokens }) => [arrival, arrivedMs, tokens])).toEqual([
    [1, 5, 4],
    [2, 5, 6],
  ]);
  const [first] = waiting(red);
  texts.markSent([first!, waiting(blue)[0]!]);
  expect(counts()).toEqual([1, 6, 3]);
  expect([red.texts.waitingTokens, blue.texts.waitingTokens]).toEqual([6, 0]);
  expect([waiting(red).length, waiting(blue).length]).toEqual([1, 0]);
  texts.finish(first!, (waiter) => waiter.resolve(vector));
  expect(counts()).toEqual([1, 6, 2]);
  expect(await results[0]!).toBe(vector);
  expect(await outcome(results[1]!)).toBe("waits");
  expect([red.unanswered.size, texts.tenants.get("red")?.byKey.size]).toEqual([1, 1]);
  texts.abandon(blue, "over");
  expect(await outcome(results[2]!)).toBe("over");
});

test("a request knows how many of its texts were sent, and how many tokens were not", () => {
  const { texts, open } = setUp();
  const request = open(6);
  void texts.enter(text(1), request);
  void texts.enter(text(2), request);
  expect([request.sentTexts, request.claim.unsent]).toEqual([0, 6]);
  texts.markSent([waiting(request)[0]!]);
  expect([request.sentTexts, request.claim.unsent]).toEqual([1, 2]);
  texts.markSent([waiting(request)[0]!]);
  expect([request.sentTexts, request.claim.unsent]).toEqual([2, 0]);
});

describe("the same text of another request of the tenant", () => {
  test("is not counted again, and is served with the request that goes first", async () => {
    const { texts, open, counts } = setUp();
    const large = open(1_000);
    const results = [texts.enter(text(1), large)];
    const small = open(300);
    results.push(texts.enter(text(1), small));
    expect(counts()).toEqual([1, 4, 1]);
    const [entry] = waiting(large);
    expect(entry!.claim).toBe(small.claim);
    const larger = open(2_000);
    results.push(texts.enter(text(1), larger));
    const equal = { ...open(300), claim: { ...small.claim } };
    void texts.enter(text(1), equal).catch(() => {});
    expect(entry!.claim).toBe(small.claim);
    expect(small.claim.unsent).toBe(300);
    texts.markSent([entry!]);
    expect([large, small, larger].map(({ sentTexts, claim }) => [sentTexts, claim.unsent])).toEqual([
      [1, 996],
      [1, 296],
      [1, 1_996],
    ]);
    const settled: boolean[] = [];
    texts.finish(entry!, (waiter, first) => {
      settled.push(first);
      waiter.resolve(vector);
    });
    expect(settled).toEqual([true, false, false, false]);
    expect(await Promise.all(results)).toEqual([vector, vector, vector]);
    expect(counts()).toEqual([0, 0, 0]);
  });

  test("costs nothing more while it is being computed", () => {
    const { texts, open, counts } = setUp();
    const first = open(4);
    void texts.enter(text(1), first);
    texts.markSent(waiting(first));
    const second = open(6);
    void texts.enter(text(1), second);
    expect([second.claim.unsent, counts()]).toEqual([2, [0, 0, 1]]);
    const third = open(3);
    void texts.enter(text(1), third);
    expect(third.claim.unsent).toBe(0);
  });

  test("of another tenant is another text", () => {
    const { texts, open, counts } = setUp();
    void texts.enter(text(1), open(4));
    void texts.enter(text(1), open(4, "blue"));
    expect(counts()).toEqual([2, 8, 2]);
  });
});

describe("an abandoned request", () => {
  test("gives up its texts, except those that another waits for or that are being computed", async () => {
    const { texts, open, counts } = setUp();
    const gone = open(100);
    const kept = open(100);
    const results = [1, 2, 3].map((id) => texts.enter(text(id), gone));
    void texts.enter(text(2), kept);
    texts.markSent([waiting(gone)[2]!]);
    expect(counts()).toEqual([2, 8, 3]);
    texts.abandon(gone, "gone");
    expect(await Promise.all(results.map(outcome))).toEqual(["gone", "gone", "gone"]);
    expect(counts()).toEqual([1, 4, 2]);
    expect([gone.texts.waitingTokens, gone.unanswered.size, kept.unanswered.size]).toEqual([4, 0, 1]);
    expect(waiting(kept).map(({ ids }) => ids[0])).toEqual([2]);
    // It can be asked for again.
    const again = open(4);
    void texts.enter(text(1), again);
    expect(counts()).toEqual([2, 8, 3]);
  });

  test("takes nothing from a text that is being computed", () => {
    const { texts, open, counts } = setUp();
    const gone = open(4);
    const result = texts.enter(text(1), gone);
    result.catch(() => {});
    const [entry] = waiting(gone);
    texts.markSent([entry!]);
    texts.abandon(gone, "gone");
    expect([counts(), entry!.texts.byKey.get(entry!.key)]).toEqual([[0, 0, 1], entry]);
    texts.finish(entry!, () => expect.unreachable());
    expect(counts()).toEqual([0, 0, 0]);
  });
});

test("a text that was refused is refused again, without being counted", async () => {
  const { texts, open, counts } = setUp();
  const request = open(4);
  const reason = new Error("no");
  request.texts.refused.add(request.texts.keyOf(text(1)), reason);
  expect(await outcome(texts.enter(text(1), request))).toBe(reason);
  expect(counts()).toEqual([0, 0, 0]);
});
