import { beforeEach, expect, test } from "bun:test";
import { h, render } from "preact";
import { ApiError } from "#platform/page/api-client.ts";
import { connection } from "#platform/page/connection.ts";
import { pageErrors } from "#platform/page/page-errors.ts";
import { followStream } from "#platform/page/stream-client.ts";
import { type Polled, usePolled } from "#platform/page/use-polled.ts";
import { fakeBrowser } from "./fake-browser.ts";

const browser = fakeBrowser("http://controller.example:7070");

beforeEach(() => {
  browser.asked.length = 0;
  browser.setHidden(false);
  pageErrors.value = [];
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(5);
}

const refused = () => Response.json({ error: "no such window", code: "INVALID" }, { status: 400 });

test("a stream goes on behind the last event after its end, sleeps while the page is hidden, and ends when it is not wanted", async () => {
  const lasts: (string | null)[] = [];
  const open: Request[] = [];
  browser.answer = (request) => {
    lasts.push(request.headers.get("last-event-id"));
    open.push(request);
    if (lasts.length === 3) return refused();
    const first = lasts.length === 1;
    const body = new ReadableStream<Uint8Array>({
      start(sink) {
        sink.enqueue(new TextEncoder().encode(`id: ${lasts.length}\ndata: news ${lasts.length}\n\n`));
        if (first) sink.close();
        else request.signal.addEventListener("abort", () => sink.error(request.signal.reason));
      },
    });
    return new Response(body);
  };
  const events: string[] = [];
  const end = followStream({ url: "/api/v1/stream", onEvent: ({ data }) => events.push(data) });
  await until(() => events.length === 2);
  expect(lasts).toEqual([null, "1"]);
  expect(connection.value).toMatchObject({ state: "away", problem: "the controller ended the stream" });
  browser.setHidden(true);
  await until(() => open[1]?.signal.aborted === true);
  browser.setHidden(true);
  expect(lasts).toHaveLength(2);
  browser.setHidden(false);
  await until(() => lasts.length === 4);
  expect(lasts).toEqual([null, "1", "2", "2"]);
  expect(connection.value).toMatchObject({ state: "live", problem: "no such window" });
  await until(() => events.length === 3);
  end();
  await until(() => open[3]?.signal.aborted === true);
  browser.setHidden(false);
  expect(events).toEqual(["news 1", "news 2", "news 4"]);
  expect(lasts).toHaveLength(4);
  expect(pageErrors.value).toEqual([]);
});

test("a reader that fails over an event is shown, and the stream goes on", async () => {
  browser.answer = () => new Response("data: 1\n\n");
  let tries = 0;
  const end = followStream({
    url: "/api/v1/stream",
    onEvent() {
      tries += 1;
      if (tries === 1) throw new RangeError("unknown change");
    },
  });
  await until(() => tries === 2);
  end();
  expect(pageErrors.value).toEqual([{ text: "unknown change", count: 1 }]);
});

test("what is polled is kept while the server is away, refused values are told, and a hidden page does not ask", async () => {
  let polled: Polled<number> = { value: null, refusal: null };
  let answer: () => Promise<number> = async () => 7;
  let asked = 0;
  const Reader = ({ address }: { readonly address: string }) => {
    polled = usePolled(address, 1, () => {
      asked += 1;
      return answer();
    });
    return null;
  };
  const place = { childNodes: [], firstChild: null, nodeType: 1 } as unknown as Element;
  const Page = ({ address }: { readonly address: string | null }) => (address === null ? null : h(Reader, { address }));
  const show = (address: string | null) => render(h(Page, { address }), place);
  show("/a");
  expect(polled).toMatchObject({ value: null, refusal: null });
  await until(() => polled.value === 7);
  answer = () => Promise.reject(new ApiError(0, "UNREACHABLE", "it can't be reached"));
  await until(() => connection.value.problem === "it can't be reached");
  expect(polled).toMatchObject({ value: 7, refusal: null });
  answer = () => Promise.reject(new ApiError(404, "NOT_FOUND", "no agent a"));
  await until(() => polled.refusal !== null);
  expect([polled.value, polled.refusal?.message]).toEqual([7, "no agent a"]);
  answer = () => Promise.reject(new RangeError("no number"));
  await until(() => pageErrors.value.length > 0);
  expect(pageErrors.value[0]?.text).toBe("no number");
  browser.setHidden(true);
  answer = async () => 8;
  await Bun.sleep(20);
  expect(polled.value).toBe(7);
  browser.setHidden(false);
  await until(() => polled.value === 8);
  answer = async () => 9;
  show("/b");
  expect(polled).toMatchObject({ value: null, refusal: null });
  await until(() => polled.value === 9);
  show(null);
  for (let before = -1; before !== asked; await Bun.sleep(50)) before = asked;
  expect(polled.value).toBe(9);
});
