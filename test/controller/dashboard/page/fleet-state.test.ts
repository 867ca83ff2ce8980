import { expect, test } from "bun:test";
import {
  agentCount,
  conditions,
  fleet,
  followFleet,
  rows,
  rowsVersion,
} from "#controller/dashboard/page/fleet-state.ts";
import { loginNeeded } from "#platform/page/api-client.ts";
import { connection } from "#platform/page/connection.ts";
import { pageErrors } from "#platform/page/page-errors.ts";
import { goTo } from "#platform/page/url-state.ts";
import { fakeBrowser } from "../../../platform/page/fake-browser.ts";

const browser = fakeBrowser("http://controller.example:7070");

interface Stream {
  readonly url: string;
  readonly after: string | null;
  readonly isWanted: () => boolean;
  send(event: string, data: object, id?: string): void;
  close(): void;
}

const streams: Stream[] = [];
browser.answer = (request) => {
  let sink: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      sink = controller;
      request.signal.addEventListener("abort", () => controller.error(request.signal.reason));
    },
  });
  streams.push({
    url: request.url.slice("http://controller.example:7070".length),
    after: request.headers.get("last-event-id"),
    isWanted: () => !request.signal.aborted,
    send(event, data, id) {
      const text = `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
      sink.enqueue(new TextEncoder().encode(text));
    },
    close: () => sink.close(),
  });
  return new Response(body);
};

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(1);
}
/** The newest stream, once there are that many. */
async function stream(count: number): Promise<Stream> {
  await until(() => streams.length === count);
  return streams[count - 1] as Stream;
}

const row = (agentId: string, watts: number) => [agentId, 0, 1, 10, 20, watts, 40, 1_000, 0];
const figure = (value: number | null) => ({ value, unit: "", asOfMs: null, stale: false, note: null });
const shown = () => [...rows.values()].map(([agentId, , , , , watts]) => `${agentId} ${watts} W`);

test("the page shows the fleet as the stream tells it, through a restart of the controller and the end of the session", async () => {
  goTo("/");
  followFleet();
  const first = await stream(1);
  expect([first.url, first.after]).toEqual(["/api/v1/fleet/stream", null]);
  expect([fleet.value, agentCount.value]).toEqual([null, null]);

  // A large fleet comes in pieces: the rows are drawn when all are there.
  first.send("snapshot", { conditions: ["serving", "offline"] });
  await until(() => conditions.length > 0);
  const drawn = rowsVersion.value;
  const view = { fleet: "plant", controller: "c-1" };
  const figures = {
    serving: figure(2),
    standby: figure(1),
    draining: figure(0),
    offline: figure(null),
    watts: figure(30),
  };
  first.send("change", { nowMs: 5_000, view, figures, rows: [row("a", 10)] });
  await until(() => fleet.value !== null);
  expect(rowsVersion.value).toBe(drawn);
  first.send("change", { nowMs: 5_000, rows: [row("b", 20)] }, "one-1");
  await until(() => rowsVersion.value > drawn);
  expect(shown()).toEqual(["a 10 W", "b 20 W"]);
  expect(agentCount.value).toBe(3);
  expect(connection.value).toMatchObject({ state: "live", asOfMs: 5_000 });

  // A difference has what changed; the rest stays.
  first.send("change", { nowMs: 6_000, figures: { watts: figure(25) }, rows: [row("a", 15)], gone: ["b"] }, "one-2");
  await until(() => fleet.value?.nowMs === 6_000);
  expect(shown()).toEqual(["a 15 W"]);
  expect(fleet.value).toMatchObject({ fleet: "plant", figures: { watts: { value: 25 }, serving: { value: 2 } } });

  // While the controller restarts the page keeps what it knew, and says that it is old.
  first.close();
  await until(() => connection.value.state === "away");
  expect(shown()).toEqual(["a 15 W"]);
  const second = await stream(2);
  expect([second.url, second.after]).toEqual(["/api/v1/fleet/stream", "one-2"]);

  // The new controller knows no such place in the stream, and tells all: what is gone since then is gone.
  second.send("snapshot", { conditions: ["serving", "offline"] });
  second.send("change", { nowMs: 9_000, view: { ...view, controller: "c-2" }, figures, rows: [row("c", 5)] }, "two-1");
  await until(() => fleet.value?.nowMs === 9_000);
  expect(shown()).toEqual(["c 5 W"]);
  expect(fleet.value).toMatchObject({ controller: "c-2", figures: { watts: { value: 30 } } });

  // Pages that show no agents do not ask for their rows.
  goTo("/cost");
  const third = await stream(3);
  expect([third.url, second.isWanted()]).toEqual(["/api/v1/fleet/stream?agents=none", false]);

  // A server that ends streams to be asked again does not log anybody out; an ended session does.
  third.send("end", { again: true });
  third.send("change", { nowMs: 10_000, view, figures }, "two-2");
  await until(() => fleet.value?.nowMs === 10_000);
  expect(loginNeeded.value).toBe(false);
  third.send("end", { again: false });
  await until(() => loginNeeded.value);
  expect(pageErrors.value).toEqual([]);
  third.close();
});
