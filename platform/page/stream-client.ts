import { ApiError, request } from "./api-client.ts";
import { noteAway } from "./connection.ts";
import { showError } from "./page-errors.ts";

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
  readonly url: string;
  /** Takes in an event. */
  readonly onEvent: (event: StreamEvent) => void;
}

const firstRetryMs = 500;
const maxRetryMs = 8_000;
/** Longest silence of a stream: the server gives a sign of life four times as often. */
const maxSilenceMs = 60_000;

/** Waits, or until it is no longer wanted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

/** Resolves when the page is visible, or the stream is no longer wanted. */
function untilVisible(signal: AbortSignal): Promise<void> {
  if (!document.hidden || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
  });
}

/** Reads a stream to its end. Returns whether anything came. @throws ApiError when there is no answer or a refusal */
async function readStream(
  { url, onEvent }: StreamOptions,
  last: { id: string | null },
  signal: AbortSignal,
): Promise<boolean> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), maxSilenceMs);
  const headers = { accept: "text/event-stream", ...(last.id === null ? {} : { "last-event-id": last.id }) };
  let hasCome = false;
  try {
    const answer = await request(url, {
      ...{ signal: AbortSignal.any([signal, silence.signal]), cache: "no-store", headers },
      isEndless: true,
    });
    if (answer.body === null) return false;
    const parse = createEventParser();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return hasCome;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), maxSilenceMs);
      for (const event of parse(value)) {
        hasCome = true;
        if (event.id !== "") last.id = event.id;
        onEvent(event);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until the stream is not wanted, later each time that nothing came. */
async function follow(options: StreamOptions, ended: AbortSignal): Promise<void> {
  const last: { id: string | null } = { id: null };
  let retryMs = firstRetryMs;
  while (!ended.aborted) {
    await untilVisible(ended);
    if (ended.aborted) return;
    const hidden = new AbortController();
    const hide = () => document.hidden && hidden.abort();
    document.addEventListener("visibilitychange", hide);
    const signal = AbortSignal.any([ended, hidden.signal]);
    try {
      if (await readStream(options, last, signal)) retryMs = firstRetryMs;
      if (!signal.aborted) noteAway(new ApiError(0, "UNREACHABLE", "the controller ended the stream"));
    } catch (error) {
      if (!signal.aborted) {
        const isExpected = error instanceof ApiError || error instanceof TypeError || error instanceof DOMException;
        if (isExpected) noteAway(error instanceof ApiError ? error : new Error("the controller is away"));
        else showError(error);
      }
    } finally {
      document.removeEventListener("visibilitychange", hide);
    }
    if (signal.aborted) continue;
    await pause(retryMs * (0.75 + Math.random() / 2), ended);
    retryMs = Math.min(maxRetryMs, retryMs * 2);
  }
}

/**
 * Follows a stream of server-sent events. Begins again by itself after the server was away, behind the last event that came, and sleeps while
 * the page is hidden. Returns a function that ends it.
 */
export function followStream(options: StreamOptions): () => void {
  const ended = new AbortController();
  follow(options, ended.signal).catch(showError);
  return () => ended.abort();
}
