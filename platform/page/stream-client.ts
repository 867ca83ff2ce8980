import { request } from "./api-client.ts";
import { noteAway } from "./connection.ts";

/** Event of a stream of server-sent events. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string;
}

/** Splits the text of a stream into its events; what is not complete yet is kept. */
export function createEventParser(): (text: string) => StreamEvent[] {
  let rest = "";
  let id = "";
  return (text) => {
    rest += text;
    const blocks = rest.split(/\r\n\r\n|\n\n|\r\r/);
    rest = blocks.pop() ?? "";
    return blocks.flatMap((block) => {
      let event = "message";
      const data: string[] = [];
      for (const line of block.split(/\r\n|\n|\r/)) {
        if (line === "" || line.startsWith(":")) continue;
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") event = value;
        else if (field === "data") data.push(value);
        else if (field === "id" && !value.includes("\0")) id = value;
      }
      return data.length === 0 ? [] : [{ event, data: data.join("\n"), id }];
    });
  };
}

interface StreamOptions {
  /** Reads the state as it is now. Returns the id of the event after which the stream is to go on. */
  readonly loadSnapshot: (signal: AbortSignal) => Promise<string | null>;
  /** Address of the stream. */
  readonly url: string;
  /** Takes in an event. Returns false if the snapshot has to be loaded again. */
  readonly onEvent: (event: StreamEvent) => boolean;
}

const firstRetryMs = 500;
const maxRetryMs = 10_000;
/** Longest silence of a stream: the server sends a sign of life four times as often. */
const maxSilenceMs = 60_000;

/** Waits, or until it is no longer wanted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Reads a stream to its end. Returns false if the snapshot has to be loaded again. */
async function readStream(
  options: StreamOptions,
  lastId: { value: string | null },
  signal: AbortSignal,
): Promise<boolean> {
  const silence = new AbortController();
  const own = AbortSignal.any([signal, silence.signal]);
  let timer = setTimeout(() => silence.abort(), maxSilenceMs);
  const answer = await fetch(options.url, {
    ...{ credentials: "same-origin", signal: own, cache: "no-store" },
    headers: { accept: "text/event-stream", ...(lastId.value === null ? {} : { "last-event-id": lastId.value }) },
  });
  if (!answer.ok || answer.body === null) {
    clearTimeout(timer);
    await request(options.url, { signal: own, method: "HEAD" });
    return true;
  }
  const parse = createEventParser();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return true;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), maxSilenceMs);
      for (const event of parse(value)) {
        if (event.id !== "") lastId.value = event.id;
        if (!options.onEvent(event)) return false;
      }
    }
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => undefined);
  }
}

/**
 * Follows a state: its snapshot, then the differences. Begins again by itself after the server was away, and sleeps while the page is hidden.
 * Returns a function that ends it.
 */
export function followStream(options: StreamOptions): () => void {
  const ended = new AbortController();
  const run = async () => {
    let retryMs = firstRetryMs;
    const lastId: { value: string | null } = { value: null };
    let isLoaded = false;
    while (!ended.signal.aborted) {
      if (document.hidden) {
        await new Promise<void>((resolve) => {
          const wake = () => resolve();
          document.addEventListener("visibilitychange", wake, { once: true });
          ended.signal.addEventListener("abort", wake, { once: true });
        });
        continue;
      }
      const visible = new AbortController();
      const hide = () => document.hidden && visible.abort();
      document.addEventListener("visibilitychange", hide);
      const signal = AbortSignal.any([ended.signal, visible.signal]);
      try {
        if (!isLoaded) {
          lastId.value = await options.loadSnapshot(signal);
          isLoaded = true;
        }
        retryMs = firstRetryMs;
        isLoaded = await readStream(options, lastId, signal);
        if (!signal.aborted) await pause(firstRetryMs, signal);
      } catch (error) {
        if (!signal.aborted) {
          // A server that was started again counts its events anew.
          isLoaded = false;
          noteAway(error);
          await pause(retryMs, signal);
          retryMs = Math.min(maxRetryMs, retryMs * 2);
        }
      } finally {
        document.removeEventListener("visibilitychange", hide);
      }
    }
  };
  void run();
  return () => ended.abort();
}
