import { afterAll, beforeEach, expect, test } from "bun:test";
import type { NotifierConfig } from "#controller/alerts/alerts-config.ts";
import { createNotifier } from "#controller/alerts/notify/create-notifier.ts";
import { NoticeQueue } from "#controller/alerts/notify/notice-queue.ts";
import { type Notice, type Notifier, NotifierRefusalError } from "#controller/alerts/notify/notifier.ts";
import { signWebhook } from "#controller/scaling/actuators/webhook-capacity.ts";
import { describeError } from "#platform/errors.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, minuteMs, secondMs } from "#platform/time.ts";
import { createSteppedClock } from "../../../fakes/stepped-clock.ts";

const log = createLogger("test", "silent");
const aNotice = (key: string, given: Partial<Notice> = {}): Notice => ({
  ...{ key, status: "firing", severity: "warning", rule: "cost-spike", labels: { tenant: "shop" } },
  ...{ summary: "more", text: "more than <yesterday> & before", startsAtMs: 1000, endsAtMs: null, atMs: 0, ...given },
});

const requests: { path: string; headers: Headers; body: string }[] = [];
let status = 200;
const server = Bun.serve({
  ...{ hostname: "127.0.0.1", port: 0 },
  async fetch(request) {
    requests.push({ path: new URL(request.url).pathname, headers: request.headers, body: await request.text() });
    return new Response("", { status });
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  requests.length = 0;
  status = 200;
});

const config = (given: Partial<NotifierConfig>): NotifierConfig => ({
  ...{ name: "n", kind: "webhook", url: `${server.url.href}hook/s3cr3t`, urlEnv: null, secretEnv: "SECRET" },
  ...{ minSeverity: "info", digest: true, ...given },
});
const environment = { SECRET: "quite secret", URL_OF_SLACK: `${server.url.href}services/T0/s3cr3t` };
const send = (given: Partial<NotifierConfig>, notices: readonly Notice[]) =>
  createNotifier(config(given), { fleetName: "hall", environment }).send(notices, 0, new AbortController().signal);

test("a webhook is JSON, and signed with its time", async () => {
  await send({}, [aNotice("a")]);
  const [request] = requests;
  expect(JSON.parse(request?.body ?? "")).toEqual({
    ...{ version: 1, fleet: "hall" },
    alerts: [
      {
        ...{ status: "firing", severity: "warning", rule: "cost-spike", labels: { tenant: "shop" }, summary: "more" },
        ...{ text: "more than <yesterday> & before", startsAt: "1970-01-01T00:00:01.000Z", endsAt: null },
      },
    ],
  });
  const signature = request?.headers.get("x-thormesh-signature") ?? "";
  const seconds = Number(/^t=(\d+),v1=[0-9a-f]{64}$/.exec(signature)?.[1]);
  expect(signature).toBe(signWebhook(request?.body ?? "", "quite secret", seconds * 1000));
});

test("a message to Slack has its address from the environment, and its characters escaped", async () => {
  await send({ kind: "slack", url: null, urlEnv: "URL_OF_SLACK" }, [aNotice("a"), aNotice("b", { status: "digest" })]);
  expect(requests[0]?.path).toBe("/services/T0/s3cr3t");
  const { text } = JSON.parse(requests[0]?.body ?? "") as { text: string };
  expect(text).toContain("*Alert* (warning): more than &lt;yesterday&gt; &amp; before");
  expect(text).toContain("```more than");
});

test("an Alertmanager gets alerts only, with labels that it takes, and its Authorization", async () => {
  const alert = aNotice("a", { labels: { "cost-centre": "x" }, endsAtMs: 5000, status: "resolved" });
  await send({ kind: "alertmanager", url: server.url.href }, [alert, aNotice("b", { status: "digest" })]);
  expect(requests[0]?.path).toBe("/api/v2/alerts");
  expect(requests[0]?.headers.get("authorization")).toBe("quite secret");
  expect(JSON.parse(requests[0]?.body ?? "")).toMatchObject([
    { labels: { alertname: "thormesh-cost-spike", cost_centre: "x" }, endsAt: "1970-01-01T00:00:05.000Z" },
  ]);
  await send({ kind: "alertmanager", url: server.url.href }, [aNotice("b", { status: "digest" })]);
  expect(requests).toHaveLength(1);
});

test.each([
  [404, true],
  [400, true],
  [429, false],
  [408, false],
  [503, false],
])("%d: refused for good %p; no error tells the address's secret", async (answer, isRefused) => {
  status = answer;
  const error = await send({}, [aNotice("a")]).catch((caught: unknown) => caught);
  expect(error instanceof NotifierRefusalError).toBe(isRefused);
  expect(describeError(error)).not.toContain("s3cr3t");
  expect(describeError(error)).toContain(`answers ${answer}`);
});

test("a variable that is missing is named", async () => {
  await expect(send({ secretEnv: "MISSING" }, [aNotice("a")])).rejects.toThrow("the environment has no MISSING");
});

/** Queue before a notifier that fails as the test says, on a clock that jumps. */
function aQueue(outcomes: readonly ("ok" | "fail" | "refuse")[], given: { waitMs?: number; intervalMs?: number } = {}) {
  const clock = createSteppedClock();
  const attempts: { atMs: number; keys: string[] }[] = [];
  const notifier: Notifier = {
    ...{ name: "n", kind: "webhook" },
    async send(notices) {
      const outcome = outcomes[attempts.length] ?? "ok";
      attempts.push({ atMs: clock.nowMs(), keys: notices.map(({ key }) => key) });
      if (outcome === "fail") throw new Error("not now");
      if (outcome === "refuse") throw new NotifierRefusalError("never");
    },
  };
  const queue = new NoticeQueue({ notifier, clock, log, waitMs: 0, intervalMs: 0, ...given });
  const settled = async () => {
    while (queue.status().queued > 0) await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, attempts, settled, clock };
}

test("a first notice waits for others, and two messages keep their distance", async () => {
  const { queue, attempts, settled } = aQueue([], { waitMs: 10 * secondMs, intervalMs: 5 * minuteMs });
  queue.offer(aNotice("a"));
  queue.offer(aNotice("b"));
  await settled();
  queue.offer(aNotice("c"));
  await settled();
  expect(attempts).toEqual([
    { atMs: 10 * secondMs, keys: ["a", "b"] },
    { atMs: 10 * secondMs + 5 * minuteMs, keys: ["c"] },
  ]);
});

test("what could not be sent is tried again, ever more rarely, and counted", async () => {
  const { queue, attempts, settled } = aQueue(["fail", "fail", "fail", "ok"]);
  queue.offer(aNotice("a"));
  await settled();
  expect(attempts.map(({ atMs }) => atMs / secondMs)).toEqual([0, 1, 3, 7]);
  expect(queue.status()).toMatchObject({ sent: 1, failures: 3, dropped: 0, lastError: null });
});

test("what is refused is dropped, counted, and its reason shown", async () => {
  const { queue, attempts, settled } = aQueue(["refuse"]);
  queue.offer(aNotice("a"));
  await settled();
  expect(attempts).toHaveLength(1);
  expect(queue.status()).toMatchObject({ sent: 0, failures: 1, dropped: 1, lastError: "never" });
});

test("a newer notice about the same thing replaces one that waits; too many push out the oldest", async () => {
  const { queue, attempts, settled } = aQueue([], { waitMs: secondMs });
  queue.offer(aNotice("a"));
  queue.offer(aNotice("a", { status: "resolved" }));
  for (let index = 0; index < 1000; index += 1) queue.offer(aNotice(`k${index}`));
  expect(queue.status()).toMatchObject({ queued: 1000, dropped: 1 });
  await settled();
  // Messages hold a hundred each, and "a" was the oldest.
  expect(attempts).toHaveLength(10);
  expect(attempts.flatMap(({ keys }) => keys)).not.toContain("a");
});

test("a notice that could not be sent for a day is dropped", async () => {
  const { queue, settled, attempts } = aQueue(new Array(400).fill("fail"));
  queue.offer(aNotice("a"));
  await settled();
  expect(queue.status()).toMatchObject({ sent: 0, dropped: 1 });
  expect(attempts.at(-1)?.atMs).toBeLessThanOrEqual(dayMs);
});

test("stopping ends the wait", async () => {
  const { queue } = aQueue(new Array(1000).fill("fail"), { waitMs: dayMs / 2 });
  queue.offer(aNotice("a"));
  await queue.stop();
  queue.offer(aNotice("b"));
  expect(queue.status().queued).toBe(1);
});
