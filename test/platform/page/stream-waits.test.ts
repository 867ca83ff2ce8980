import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { loginNeeded, noteLogin } from "#platform/page/api-client.ts";
import { connection } from "#platform/page/connection.ts";
import { pageErrors } from "#platform/page/page-errors.ts";
import { followStream } from "#platform/page/stream-client.ts";
import { fakeBrowser } from "./fake-browser.ts";

const browser = fakeBrowser("http://controller.example:7070");
const silenceMs = 60_000;

interface HeldTimer {
  readonly ms: number;
  readonly end: () => void;
}

/** Timers that run only when a test says so, in the order in which they were set. */
const held = new Map<number, HeldTimer>();
let timers = 0;
let real: { readonly setTimeout: typeof setTimeout; readonly clearTimeout: typeof clearTimeout };
let end: () => void;

beforeEach(() => {
  held.clear();
  real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  Object.assign(globalThis, {
    setTimeout(run: () => void, ms: number) {
      timers += 1;
      held.set(timers, { ms, end: run });
      return timers;
    },
    clearTimeout: (timer: number) => held.delete(timer),
  });
  noteLogin();
  connection.value = { state: "connecting", asOfMs: null, problem: null };
  browser.setHidden(false);
  browser.asked.length = 0;
  pageErrors.value = [];
  end = () => undefined;
});
afterEach(() => {
  end();
  Object.assign(globalThis, real);
  expect(pageErrors.value).toEqual([]);
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(1);
}

/** Waits until the stream sleeps between two tries. Returns for how long, and how to end that. */
async function nextWait(): Promise<HeldTimer> {
  const waits = () => [...held].filter(([, { ms }]) => ms !== silenceMs);
  await until(() => waits().length > 0);
  const [timer, wait] = waits()[0] as [number, HeldTimer];
  return { ms: wait.ms, end: () => held.delete(timer) && wait.end() };
}

/** Lengths of the next sleeps, each ended at once. */
async function nextWaits(count: number): Promise<number[]> {
  const lengths: number[] = [];
  while (lengths.length < count) {
    const { ms, end: wake } = await nextWait();
    lengths.push(ms);
    wake();
  }
  return lengths;
}

function follow(events: string[] = []): void {
  end = followStream({ url: "/api/v1/stream", onEvent: ({ data }) => events.push(data) });
}

/** A stream that stays open until nobody wants it, and what sends a piece of it. */
function openStream(request: Request): { readonly answer: Response; readonly send: (text: string) => void } {
  let sink: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      sink = controller;
      request.signal.addEventListener("abort", () => controller.error(request.signal.reason));
    },
  });
  return { answer: new Response(body), send: (text) => sink.enqueue(new TextEncoder().encode(text)) };
}

const away = () => Promise.reject(new TypeError("fetch failed"));

test("a server that is away is asked ever later, 8 s at most, and at once again after it has told something", async () => {
  using _middle = spyOn(Math, "random").mockReturnValue(0.5);
  browser.answer = away;
  follow();
  expect(await nextWaits(6)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000]);
  expect(connection.value).toMatchObject({ state: "away", problem: "it can't be reached" });
  const last = await nextWait();
  browser.answer = () => new Response("id: 1\ndata: news\n\n");
  last.end();
  // This answer ended after its news: the server restarts.
  expect((await nextWait()).ms).toBe(500);
});

test("an answer that ends without any news, as a proxy's, does not shorten the waits", async () => {
  using _middle = spyOn(Math, "random").mockReturnValue(0.5);
  browser.answer = () => new Response(": hello\n\n");
  follow();
  expect(await nextWaits(3)).toEqual([500, 1_000, 2_000]);
});

test.each([
  [0, [375, 750]],
  [1, [625, 1_250]],
] as const)(
  "pages that lost the server at once do not come back at once: with the draw %p waits of %p ms",
  async (draw, waits) => {
    using _draw = spyOn(Math, "random").mockReturnValue(draw);
    browser.answer = away;
    follow();
    expect(await nextWaits(2)).toEqual([...waits]);
  },
);

test("a page that is closed while it waits asks no more and leaves no timer", async () => {
  browser.answer = away;
  follow();
  await nextWait();
  end();
  await until(() => held.size === 0);
  expect(browser.asked).toEqual(["GET /api/v1/stream"]);
});

test("a page that begins hidden asks when it is shown, and not at all if it is closed before", async () => {
  browser.answer = (request) => openStream(request).answer;
  browser.setHidden(true);
  follow();
  browser.setHidden(true);
  expect(browser.asked).toEqual([]);
  browser.setHidden(false);
  await until(() => browser.asked.length === 1);
  end();

  browser.asked.length = 0;
  browser.setHidden(true);
  follow();
  end();
  browser.setHidden(false);
  // A later stream has asked: the closed one would have done so before.
  follow();
  await until(() => browser.asked.length > 0);
  expect(browser.asked).toEqual(["GET /api/v1/stream"]);
});

test("a stream that is silent for a minute is given up and asked for anew; a sign of life puts that off", async () => {
  const requests: Request[] = [];
  const streams: ReturnType<typeof openStream>[] = [];
  browser.answer = (request) => {
    requests.push(request);
    const stream = openStream(request);
    streams.push(stream);
    return stream.answer;
  };
  const events: string[] = [];
  follow(events);
  const silences = () => [...held.keys()].filter((timer) => held.get(timer)?.ms === silenceMs);
  await until(() => streams.length === 1);
  const [first] = silences();
  streams[0]?.send(": still here\n\n");
  await until(() => silences()[0] !== first);
  expect(silences()).toHaveLength(1);
  streams[0]?.send("id: 7\ndata: news\n\n");
  await until(() => events.length === 1);
  held.get(silences()[0] ?? 0)?.end();
  await until(() => connection.value.state === "away");
  expect(connection.value.problem).toBe("the controller is away");
  expect(requests[0]?.signal.aborted).toBe(true);
  (await nextWait()).end();
  await until(() => requests.length === 2);
  expect(requests[1]?.headers.get("last-event-id")).toBe("7");
});

test("once the session has ended nothing is sent until the user logs in, and then the stream goes on by itself", async () => {
  browser.answer = () => Response.json({ error: "no key", code: "UNAUTHORIZED" }, { status: 401 });
  const events: string[] = [];
  follow(events);
  await nextWaits(4);
  expect(browser.asked).toEqual(["GET /api/v1/stream"]);
  expect(loginNeeded.value).toBe(true);
  expect(connection.value.state).toBe("live");
  const wait = await nextWait();
  browser.answer = () => new Response("data: welcome\n\n");
  noteLogin();
  wait.end();
  await until(() => events.length === 1);
  expect(events).toEqual(["welcome"]);
});
