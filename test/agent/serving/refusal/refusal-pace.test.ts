import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { createRefusalPace } from "#agent/serving/refusal/refusal-pace.ts";

const never = new AbortController().signal;

/** Ends of the delays under way: on a busy machine the shortest would be over before they are counted. */
let delays: (() => void)[] = [];
let timers: ReturnType<typeof spyOn>;
beforeEach(() => {
  delays = [];
  timers = spyOn(globalThis, "setTimeout").mockImplementation(((end: () => void) => delays.push(end)) as never);
});
afterEach(() => timers.mockRestore());

/** Of refusals at one moment, how many are answered within some event turns. */
async function answeredAtOnce(pauses: readonly Promise<void>[]): Promise<number> {
  let answered = 0;
  for (const pause of pauses) {
    void pause.then(() => {
      answered += 1;
    });
  }
  for (let turn = 0; turn < 3; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  return answered;
}

test("a few refusals are answered at once, more of them later, and those of other tenants at once", async () => {
  const pace = createRefusalPace(() => 1_000);
  const ask = (tenant: string) => Array.from({ length: 30 }, () => pace.pause(tenant, { bytes: 100, signal: never }));
  const pauses = ask("a");
  expect(await answeredAtOnce(pauses)).toBe(20);
  expect(await answeredAtOnce(ask("b"))).toBe(20);
  for (const end of delays) end();
  await Promise.all(pauses);
});

test("after a second they are answered at once again", async () => {
  let now = 0;
  const pace = createRefusalPace(() => now);
  const ask = () => Array.from({ length: 20 }, () => pace.pause("a", { bytes: 100, signal: never }));
  expect(await answeredAtOnce(ask())).toBe(20);
  now = 1_000;
  expect(await answeredAtOnce(ask())).toBe(20);
});

test("a client that disconnects or has a short budget is not delayed", async () => {
  const pace = createRefusalPace(() => 0);
  for (let refusal = 0; refusal < 20; refusal += 1) await pace.pause("a", { bytes: 100, signal: never });
  const gone = new AbortController();
  const left = pace.pause("a", { bytes: 100, signal: gone.signal });
  gone.abort();
  expect(await answeredAtOnce([left, pace.pause("a", { bytes: 100, signal: never, latencyBudgetMs: 5 })])).toBe(2);
});

test("no more than 512 refusals are delayed", async () => {
  const pace = createRefusalPace(() => 0);
  const gone = new AbortController();
  const all = Array.from({ length: 600 }, () => pace.pause("a", { bytes: 100, signal: gone.signal }));
  expect(await answeredAtOnce(all)).toBe(600 - 512);
  gone.abort();
  await Promise.all(all);
});

test("the memory of delayed requests is bounded", async () => {
  const pace = createRefusalPace(() => 0);
  const gone = new AbortController();
  const bytes = 8 * 1024 * 1024;
  const all = Array.from({ length: 30 }, () => pace.pause("a", { bytes, signal: gone.signal }));
  expect(await answeredAtOnce(all)).toBe(30 - 4);
  gone.abort();
  await Promise.all(all);
});
