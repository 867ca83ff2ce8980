import { describe, expect, jest, test } from "bun:test";
import { discardBody, readBody, readBoundedBody } from "#platform/http/body/read-bounded-body.ts";

/** A body of these pieces, that ends or stays open, and tells when its reader has left. */
function bodyOf(pieces: readonly string[], end = true) {
  const state = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      if (end) controller.close();
    },
    cancel() {
      state.cancelled = true;
    },
  });
  return { body, state };
}

function slotOf() {
  const abort = new AbortController();
  let progressed = 0;
  return {
    cut: abort.signal,
    progressed: () => {
      progressed += 1;
    },
    stall: () => abort.abort(),
    count: () => progressed,
  };
}

describe("reading a body", () => {
  test.each([
    [[], ""],
    [["abc"], "abc"],
    [["ab", "", "cd", "e"], "abcde"],
  ])("%j is %p", async (pieces, text) => {
    const slot = slotOf();
    const reading = await readBody(bodyOf(pieces).body, 5, slot);
    expect(reading.kind).toBe("read");
    if (reading.kind === "read") expect(new TextDecoder().decode(reading.bytes)).toBe(text);
    expect(slot.count()).toBe(pieces.length);
  });

  test("one byte too many ends it, with the rest unread", async () => {
    const { body, state } = bodyOf(["abc", "def"], false);
    expect(await readBody(body, 5)).toEqual({ kind: "too-large" });
    expect(state.cancelled).toBe(true);
    expect(await readBoundedBody(bodyOf(["abc", "def"]).body, 5)).toBeNull();
    expect(await readBoundedBody(bodyOf(["abc", "def"]).body, 6)).toHaveLength(6);
  });

  test("a sender that stalls is cut off, and left alone once it was read", async () => {
    const { body, state } = bodyOf(["abc"], false);
    const slot = slotOf();
    const reading = readBody(body, 5, slot);
    while (slot.count() === 0) await Bun.sleep(1);
    slot.stall();
    expect(await reading).toEqual({ kind: "stalled" });
    expect(state.cancelled).toBe(true);
    const removed: string[] = [];
    const cut = {
      addEventListener: () => {},
      removeEventListener: (name: string) => removed.push(name),
      aborted: false,
    };
    await readBody(bodyOf(["a"]).body, 5, { cut: cut as unknown as AbortSignal, progressed: () => {} });
    expect(removed).toEqual(["abort"]);
  });
});

describe("discarding a body", () => {
  test.each([
    { name: "an end within the limit", pieces: ["abc", "de"], ends: true },
    { name: "an end just behind the limit", pieces: ["abc", "de", "f"], ends: false },
    { name: "nothing", pieces: [], ends: true },
  ])("$name: $ends", async ({ pieces, ends }) => {
    expect(await discardBody(bodyOf(pieces).body, 5, 1_000)).toBe(ends);
  });

  test("what does not end in time is given up", async () => {
    jest.useFakeTimers();
    try {
      const { body, state } = bodyOf(["abc"], false);
      const discarding = discardBody(body, 5, 1_000);
      jest.advanceTimersByTime(999);
      expect(state.cancelled).toBe(false);
      jest.advanceTimersByTime(1);
      expect(state.cancelled).toBe(true);
      expect(await discarding).toBe(false);
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  test("the limit ends with the body", async () => {
    jest.useFakeTimers();
    try {
      expect(await discardBody(bodyOf(["abc"]).body, 5, 1_000)).toBe(true);
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  test("a sender that fails is given up", async () => {
    const body = new ReadableStream<Uint8Array>({
      pull() {
        throw new Error("gone");
      },
    });
    expect(await discardBody(body, 5, 1_000)).toBe(false);
  });

  test("the rest of one that is too long is left unread", async () => {
    const { body, state } = bodyOf(["abcdef"], false);
    expect(await discardBody(body, 5, 1_000)).toBe(false);
    expect(state.cancelled).toBe(true);
  });
});
