import { describe, expect, test } from "bun:test";
import { ServiceError, UsageError } from "#platform/errors.ts";
import { foundModel, oneModelBytes, poolOf, settle } from "./pool-set-up.ts";

const roomForTwo = 2 * oneModelBytes;

async function refusalOf(promise: Promise<unknown>): Promise<ServiceError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(ServiceError);
  return error;
}

describe("a model that is asked for", () => {
  test("is loaded once for all requests that wait, and kept", async () => {
    const { pool, acquire, events, lookups, holdBack } = poolOf(["a", "b"]);
    await pool.start();
    const open = holdBack();
    const waiting = [acquire("b"), acquire("alias-of-b"), acquire("b")];
    await settle();
    await pool.upkeep();
    expect(pool.list().map(({ status }) => status)).toEqual(["loaded", "loading"]);
    open();
    const leases = await Promise.all(waiting);
    expect(new Set(leases.map(({ model }) => model)).size).toBe(1);
    expect((await acquire("b")).model).toBe(leases[0]!.model);
    expect(events).toEqual(["open a", "open b"]);
    expect(lookups).toEqual([false, false, false, true]);
  });

  test("is there at once when it is loaded: nothing is waited for", async () => {
    const { pool } = poolOf(["a"]);
    await pool.start();
    const lease = pool.acquire(undefined, () => {
      throw new Error("no request waits");
    });
    expect(lease).not.toBeInstanceOf(Promise);
  });

  test("without a name is the default one", async () => {
    const { pool, acquire } = poolOf(["a", "b"]);
    await pool.start();
    expect((await acquire()).model.found.manifest.id).toBe("a");
  });

  test("is waited for only as long as the request wants", async () => {
    const { pool, acquire, events, holdBack } = poolOf(["a", "b"]);
    await pool.start();
    const open = holdBack();
    const client = new AbortController();
    const [disconnected, patient] = [acquire("b", client.signal), acquire("b")];
    client.abort(new Error("disconnected"));
    await expect(disconnected).rejects.toThrow("disconnected");
    open();
    expect((await patient).model.found.manifest.id).toBe("b");
    expect(events).toEqual(["open a", "open b"]);
  });

  test("and is nowhere is not found; the names that are there are told", async () => {
    const { pool, acquire, refreshes } = poolOf(["a", "b"]);
    await pool.start();
    const refusal = await refusalOf(acquire("nope"));
    expect(refusal.code).toBe("MODEL_NOT_FOUND");
    expect(refusal.message).toBe('model: expected one of a, b, got "nope"');
    // A storm of unknown names doesn't read the directories again and again.
    await Promise.all(Array.from({ length: 50 }, () => refusalOf(acquire("nope"))));
    expect(refreshes()).toBeLessThanOrEqual(2);
  });

  test("and can't be read is unavailable, with the reason", async () => {
    const { pool, acquire } = poolOf(["a"]);
    await pool.start();
    const refusal = await refusalOf(acquire("broken"));
    expect(refusal.code).toBe("MODEL_UNAVAILABLE");
    expect(refusal.message).toContain("its manifest is wrong");
  });

  test("and was pulled meanwhile is found", async () => {
    const { pool, acquire, models, advance } = poolOf(["a"]);
    await pool.start();
    models.set("new", foundModel("new"));
    advance(2000);
    expect((await acquire("new")).model.found.manifest.id).toBe("new");
  });
});

describe("directories that are read", () => {
  test("a model that was pulled is found a second after the last reading, and not before", async () => {
    const { pool, acquire, models, advance, refreshes } = poolOf(["a"], {}, true);
    await pool.start();
    models.set("new", foundModel("new"));
    advance(999);
    expect((await refusalOf(acquire("new"))).code).toBe("MODEL_NOT_FOUND");
    expect(refreshes()).toBe(1);
    advance(1);
    expect((await acquire("new")).model.found.manifest.id).toBe("new");
    expect(refreshes()).toBe(2);
  });

  test("requests for it share a reading", async () => {
    const { pool, acquire, models, advance, refreshes } = poolOf(["a"], {}, true);
    await pool.start();
    models.set("new", foundModel("new"));
    advance(1000);
    const leases = await Promise.all([acquire("new"), acquire("new")]);
    expect(new Set(leases.map(({ model }) => model)).size).toBe(1);
    expect(refreshes()).toBe(2);
    advance(1000);
    await refusalOf(acquire("nope"));
    expect(refreshes()).toBe(3);
  });

  test("upkeep reads them first", async () => {
    const { pool, touch, models, evictions } = poolOf(["a", "b"], {}, true);
    await pool.start();
    await touch("b");
    models.delete("b");
    await pool.upkeep();
    await settle();
    expect(evictions).toEqual(["b removed"]);
  });

  test("models are found by their names, and one that is not loaded has no process", async () => {
    const { pool } = poolOf(["a", "b"]);
    await pool.start();
    expect(pool.find("alias-of-b")?.manifest.id).toBe("b");
    expect(pool.find(undefined)?.manifest.id).toBe("a");
    expect(pool.list()[1]).toMatchObject({ status: "available", model: null, problem: null });
  });
});

describe("memory", () => {
  test("the least recently used is evicted for the next one; pinned ones stay", async () => {
    const { pool, touch, loaded, events, evictions } = poolOf(["a", "b", "c", "d"], { memoryBytes: roomForTwo });
    await pool.start();
    await settle();
    for (const name of ["b", "c", "b", "d"]) await touch(name);
    expect(loaded()).toEqual(["a", "d"]);
    expect(evictions).toEqual(["b memory", "c memory", "b memory"]);
    expect(events.indexOf("stop b")).toBeLessThan(events.indexOf("open c"));
  });

  test("one that computes is not stopped: the next waits for it, and a request for it waits behind", async () => {
    const { pool, acquire, events } = poolOf(["a", "b", "c"], { memoryBytes: roomForTwo });
    await pool.start();
    await settle();
    const computing = await acquire("b");
    await settle();
    const next = acquire("c");
    const behind = acquire("b");
    await settle();
    expect(events).toEqual(["open a", "open b"]);
    computing.release();
    (await next).release();
    expect((await behind).model.found.manifest.id).toBe("b");
    expect(events).toEqual(["open a", "open b", "stop b", "open c", "stop c", "open b"]);
  });

  test("no model is loaded for a client that disconnected while it waited for memory", async () => {
    const { pool, acquire, events } = poolOf(["a", "b", "c"], { memoryBytes: roomForTwo });
    await pool.start();
    await settle();
    const computing = await acquire("b");
    await settle();
    const client = new AbortController();
    const next = acquire("c", client.signal);
    client.abort(new Error("disconnected"));
    await expect(next).rejects.toThrow("disconnected");
    computing.release();
    await settle();
    expect(events).not.toContain("open c");
    expect((await acquire("b")).model.found.manifest.id).toBe("b");
  });

  test("a model larger than the budget is refused with the figures, and is not held against the others", async () => {
    const { pool, acquire, evictions } = poolOf(["a", "b"], { memoryBytes: 2 * oneModelBytes - 1 });
    await pool.start();
    await settle();
    const refusal = await refusalOf(acquire("b"));
    expect(refusal.code).toBe("MODEL_UNAVAILABLE");
    expect(refusal.message).toContain(`it needs about ${Math.ceil(oneModelBytes / 1e6)} MB`);
    expect((await acquire("a")).model.found.manifest.id).toBe("a");
    expect(evictions).toEqual([]);
  });

  test("what turns out larger than expected makes the least recently used go", async () => {
    const { pool, touch, loaded, bytes, evictions } = poolOf(["a", "b", "c"], { memoryBytes: 4 * oneModelBytes });
    await pool.start();
    await touch("b");
    await touch("c");
    bytes.set("c", 3 * oneModelBytes);
    await pool.upkeep();
    await settle();
    expect(evictions).toEqual(["b memory"]);
    expect(loaded()).toEqual(["a", "c"]);
    expect(pool.usedBytes()).toBe(4 * oneModelBytes);
  });

  test("the keep-alive expired, a model is evicted; a pinned one is not", async () => {
    const { pool, touch, loaded, advance, evictions } = poolOf(["a", "b", "c"], { keepAliveMs: 1000, pinned: ["c"] });
    await pool.start();
    await touch("b");
    advance(500);
    await pool.upkeep();
    expect(loaded()).toEqual(["a", "b", "c"]);
    advance(500);
    await pool.upkeep();
    await settle();
    expect(loaded()).toEqual(["a", "c"]);
    expect(evictions).toEqual(["b idle"]);
  });

  test("released twice is released once", async () => {
    const { pool, acquire, evictions, advance } = poolOf(["a", "b"], { keepAliveMs: 10 });
    await pool.start();
    const [first] = [await acquire("b"), await acquire("b")];
    first.release();
    first.release();
    advance(1000);
    await pool.upkeep();
    expect(evictions).toEqual([]);
  });
});

describe("a model that is evicted while it is being loaded", () => {
  test("is stopped when it is loaded, if no request waits for it", async () => {
    const { pool, acquire, models, events, evictions, holdBack } = poolOf(["a", "b"]);
    await pool.start();
    await settle();
    const open = holdBack();
    const client = new AbortController();
    const waiting = acquire("b", client.signal);
    await settle();
    client.abort(new Error("disconnected"));
    await expect(waiting).rejects.toThrow("disconnected");
    models.delete("b");
    await pool.upkeep();
    expect({ events, evictions }).toEqual({ events: ["open a", "open b"], evictions: [] });
    open();
    await settle();
    expect({ events, evictions }).toEqual({ events: ["open a", "open b", "stop b"], evictions: ["b removed"] });
  });

  test("answers the request that waits for it first", async () => {
    const { pool, acquire, models, events, evictions, holdBack } = poolOf(["a", "b"]);
    await pool.start();
    await settle();
    const open = holdBack();
    const waiting = acquire("b");
    await settle();
    models.delete("b");
    await pool.upkeep();
    open();
    const lease = await waiting;
    await settle();
    expect(events).toEqual(["open a", "open b"]);
    lease.release();
    await settle();
    expect({ events, evictions }).toEqual({ events: ["open a", "open b", "stop b"], evictions: ["b removed"] });
  });

  test("and waits for memory only, is dropped without a process", async () => {
    const { pool, acquire, models, events, evictions } = poolOf(["a", "b", "c"], { memoryBytes: roomForTwo });
    await pool.start();
    await settle();
    const computing = await acquire("b");
    await settle();
    const client = new AbortController();
    const waiting = acquire("c", client.signal);
    await settle();
    models.delete("c");
    await pool.upkeep();
    client.abort(new Error("disconnected"));
    await expect(waiting).rejects.toThrow("disconnected");
    computing.release();
    await settle();
    expect({ events, evictions }).toEqual({ events: ["open a", "open b", "stop b"], evictions: ["b memory"] });
  });
});

describe("leases", () => {
  test("keep an evicted model until the last one is released", async () => {
    const { pool, acquire, models, events, evictions } = poolOf(["a", "b"]);
    await pool.start();
    const leases = [await acquire("b"), await acquire("b")];
    models.delete("b");
    await pool.upkeep();
    leases[0]?.release();
    await settle();
    expect(events).toEqual(["open a", "open b"]);
    leases[1]?.release();
    leases[1]?.release();
    await settle();
    expect({ events, evictions }).toEqual({ events: ["open a", "open b", "stop b"], evictions: ["b removed"] });
  });

  test("count as use until they are released: the keep-alive begins then", async () => {
    const { pool, acquire, loaded, advance } = poolOf(["a", "b"], { keepAliveMs: 1000 });
    await pool.start();
    const lease = await acquire("b");
    advance(900);
    lease.release();
    advance(900);
    await pool.upkeep();
    expect(loaded()).toEqual(["a", "b"]);
    advance(100);
    await pool.upkeep();
    expect(loaded()).toEqual(["a"]);
  });

  test("the one released last is the one used last", async () => {
    const { pool, acquire, touch, loaded, advance } = poolOf(["a", "b", "c", "d"], { memoryBytes: 3 * oneModelBytes });
    await pool.start();
    const b = await acquire("b");
    advance(1);
    await touch("c");
    b.release();
    await settle();
    await touch("d");
    expect(loaded()).toEqual(["a", "b", "d"]);
  });

  test("are not left behind by a client that disconnects before or while it waits", async () => {
    const { pool, acquire, loaded, holdBack, advance } = poolOf(["a", "b"], { keepAliveMs: 1000 });
    await pool.start();
    const open = holdBack();
    const client = new AbortController();
    const waiting = acquire("b", client.signal);
    await settle();
    client.abort(new Error("disconnected"));
    await expect(waiting).rejects.toThrow("disconnected");
    await expect(acquire("b", client.signal)).rejects.toThrow("disconnected");
    open();
    await settle();
    advance(1000);
    await pool.upkeep();
    expect(loaded()).toEqual(["a"]);
  });
});

describe("the queue for memory", () => {
  test("an idle model is evicted before a busy one that was used longer ago", async () => {
    const { pool, acquire, touch, evictions, advance } = poolOf(["a", "b", "c", "d"], {
      memoryBytes: 3 * oneModelBytes,
    });
    await pool.start();
    await acquire("b");
    advance(1);
    await touch("c");
    expect((await acquire("d")).model.found.manifest.id).toBe("d");
    expect(evictions).toEqual(["c memory"]);
  });

  test("a model that is too large is refused in its turn, and those behind it are loaded", async () => {
    const { pool, acquire, touch, bytes, evictions } = poolOf(["a", "b", "c", "d", "e"], { memoryBytes: roomForTwo });
    await pool.start();
    await settle();
    bytes.set("b", oneModelBytes + 1);
    await touch("b");
    await pool.upkeep();
    await settle();
    expect(evictions).toEqual(["b memory"]);
    const computing = await acquire("c");
    const [next, tooLarge, behind] = [acquire("d"), refusalOf(acquire("b")), acquire("e")];
    await settle();
    computing.release();
    (await next).release();
    expect((await tooLarge).message).toContain("more than fits");
    expect((await behind).model.found.manifest.id).toBe("e");
  });

  test("a client that disconnects at its head lets those behind it through", async () => {
    const { pool, acquire, touch, bytes, models } = poolOf(["a", "b", "c", "d"], { memoryBytes: 2.5 * oneModelBytes });
    await pool.start();
    await settle();
    bytes.set("d", 0.4 * oneModelBytes);
    await touch("d");
    await settle();
    models.delete("d");
    await pool.upkeep();
    await settle();
    models.set("d", foundModel("d"));
    await acquire("b");
    const client = new AbortController();
    const head = acquire("c", client.signal);
    const behind = acquire("d");
    await settle();
    client.abort(new Error("disconnected"));
    await expect(head).rejects.toThrow("disconnected");
    expect((await behind).model.found.manifest.id).toBe("d");
  });

  test("the memory of a failed model counts until its process has ended", async () => {
    const { pool, touch, failing, holdStopsBack, evictions } = poolOf(["a", "b"]);
    await pool.start();
    await touch("b");
    const end = holdStopsBack();
    failing.get("b")?.("ended by SIGSEGV");
    await settle();
    expect({ used: pool.usedBytes(), evictions }).toEqual({ used: 2 * oneModelBytes, evictions: [] });
    end();
    await settle();
    expect({ used: pool.usedBytes(), evictions }).toEqual({ used: oneModelBytes, evictions: ["b failed"] });
  });
});

describe("figures", () => {
  test("a model without a process has no texts that wait, one that can't be measured keeps its estimate", async () => {
    const { pool, acquire, bytes, holdBack } = poolOf(["a", "b"]);
    bytes.set("a", null);
    await pool.start();
    await settle();
    const open = holdBack();
    const waiting = acquire("b");
    await settle();
    expect(pool.queueDepth()).toBe(1);
    open();
    await waiting;
    await pool.upkeep();
    expect(pool.usedBytes()).toBe(2 * oneModelBytes);
  });

  test("texts that wait are summed over all models, evicted ones that still answer among them", async () => {
    const { pool, acquire, models } = poolOf(["a", "b"]);
    await pool.start();
    await settle();
    const lease = await acquire("b");
    models.delete("b");
    await pool.upkeep();
    expect(pool.queueDepth()).toBe(2);
    lease.release();
    await settle();
    expect(pool.queueDepth()).toBe(1);
  });

  test("a model that waits for memory takes none", async () => {
    const { pool, acquire } = poolOf(["a", "b", "c"], { memoryBytes: roomForTwo });
    await pool.start();
    await settle();
    const computing = await acquire("b");
    const waiting = acquire("c");
    await settle();
    expect(pool.usedBytes()).toBe(roomForTwo);
    computing.release();
    await waiting;
    await settle();
    expect(pool.usedBytes()).toBe(roomForTwo);
  });

  test("what a model took is known when it is loaded again", async () => {
    const { pool, touch, acquire, bytes, advance, evictions } = poolOf(["a", "b"], {
      memoryBytes: roomForTwo,
      keepAliveMs: 1000,
    });
    await pool.start();
    await settle();
    bytes.set("b", oneModelBytes + 1);
    await touch("b");
    await pool.upkeep();
    await settle();
    expect(evictions).toEqual(["b memory"]);
    advance(1000);
    expect((await refusalOf(acquire("b"))).message).toContain("more than fits");
  });

  test("a model that has loaded and takes more than expected makes others go at once", async () => {
    const { pool, touch, bytes, evictions } = poolOf(["a", "b", "c"], { memoryBytes: 3 * oneModelBytes });
    await pool.start();
    await touch("b");
    bytes.set("c", 2 * oneModelBytes);
    await touch("c");
    await settle();
    expect(evictions).toEqual(["b memory"]);
  });
});

test("keep-alive times expire without another request", async () => {
  const expired = Promise.withResolvers<string>();
  const { pool, touch, advance } = poolOf(["a", "b"], {
    keepAliveMs: 1000,
    upkeepMs: 20,
    observer: { onLookup() {}, onEvicted: (model, cause) => expired.resolve(`${model} ${cause}`) },
  });
  await pool.start();
  await touch("b");
  advance(1000);
  expect(await expired.promise).toBe("b idle");
  await pool.stop();
});

describe("files that change", () => {
  test("new ones take the place of the old, which finishes what it has", async () => {
    const { pool, acquire, models, events } = poolOf(["a", "b"]);
    await pool.start();
    const old = await acquire("b");
    models.set("b", foundModel("b", "2"));
    const fresh = await acquire("b");
    expect(fresh.model.found.manifest.revision).toBe("2");
    expect(events).toEqual(["open a", "open b", "open b"]);
    old.release();
    await settle();
    expect(events.at(-1)).toBe("stop b");
  });

  test("written to, a model is evicted; a pinned one is loaded again at once, another one when it is asked for", async () => {
    const { pool, touch, changed, events, evictions, models } = poolOf(["a", "b"]);
    await pool.start();
    await touch("b");
    changed.set("a", "/models/a/model.onnx").set("b", "/models/b/model.onnx");
    models.set("a", foundModel("a", "2")).set("b", foundModel("b", "2"));
    await pool.upkeep();
    await settle();
    expect(evictions).toEqual(["a replaced", "b replaced"]);
    expect(events).toEqual(["open a", "open b", "stop a", "open a", "stop b"]);
    changed.clear();
    await touch("b");
    expect(events.at(-1)).toBe("open b");
  });

  test("unchanged, a model stays", async () => {
    const { pool, touch, loaded, evictions } = poolOf(["a", "b"]);
    await pool.start();
    await touch("b");
    await pool.upkeep();
    await settle();
    expect({ loaded: loaded(), evictions }).toEqual({ loaded: ["a", "b"], evictions: [] });
  });

  test("a removed model is evicted", async () => {
    const { pool, touch, models, evictions } = poolOf(["a", "b"]);
    await pool.start();
    await touch("b");
    models.delete("b");
    await pool.upkeep();
    await settle();
    expect(evictions).toEqual(["b removed"]);
    expect(pool.list().map(({ found }) => found.manifest.id)).toEqual(["a"]);
  });
});

describe("a model that does not load", () => {
  test("is reported to the requests that wait, not tried for each request, and tried again later", async () => {
    const { pool, acquire, events, advance } = poolOf(["a", "unreadable"]);
    await pool.start();
    const refusal = await refusalOf(acquire("unreadable"));
    expect(refusal.message).toBe("model unreadable can't be loaded: its tokenizer is damaged");
    expect(refusal).toMatchObject({ code: "MODEL_UNAVAILABLE", retryAfterS: 5 });
    expect((await refusalOf(acquire("unreadable"))).retryAfterS).toBe(5);
    expect(events).toEqual(["open a", "open unreadable"]);
    expect(pool.list()[1]).toMatchObject({ status: "available", problem: "its tokenizer is damaged" });
    advance(5000);
    expect((await refusalOf(acquire("unreadable"))).retryAfterS).toBe(10);
    expect(events).toEqual(["open a", "open unreadable", "open unreadable"]);
    expect((await acquire("a")).model.found.manifest.id).toBe("a");
  });

  test("its process lost for good, it is taken out and its memory freed; the others go on", async () => {
    const { pool, touch, acquire, failing, evictions, loaded } = poolOf(["a", "b"]);
    await pool.start();
    await touch("b");
    failing.get("b")?.("ended by SIGSEGV");
    await settle();
    expect(evictions).toEqual(["b failed"]);
    expect(loaded()).toEqual(["a"]);
    expect((await refusalOf(acquire("b"))).message).toContain("ended by SIGSEGV");
    expect((await acquire("a")).model.found.manifest.id).toBe("a");
  });

  test("waits for memory with another one behind it: a refused one is not in the way", async () => {
    const { pool, acquire, loaded, models } = poolOf(["a", "b", "unreadable"], { memoryBytes: roomForTwo });
    await pool.start();
    await settle();
    const refused = refusalOf(acquire("unreadable"));
    const behind = acquire("b");
    expect((await refused).message).toContain("its tokenizer is damaged");
    expect((await behind).model.found.manifest.id).toBe("b");
    expect(loaded()).toEqual(["a", "b"]);
    expect(models.size).toBe(3);
  });

  test("is no longer a failure once it has loaded", async () => {
    const { pool, touch, failing, states, acquire, advance } = poolOf(["a", "b"]);
    await pool.start();
    await touch("b");
    failing.get("b")?.("ended by SIGSEGV");
    await settle();
    advance(5000);
    await acquire("b");
    expect(states.get("b")).toBe("loaded");
    expect(pool.list()[1]).toMatchObject({ status: "loaded", problem: null });
    // The next failure is a first one again.
    failing.get("b")?.("ended by SIGSEGV");
    await settle();
    expect((await refusalOf(acquire("b"))).retryAfterS).toBe(5);
  });

  test("a pinned one stays and goes on trying", async () => {
    const { pool, acquire, failing, states, evictions } = poolOf(["a"]);
    await pool.start();
    states.set("a", "failing");
    failing.get("a")?.("ended with 1");
    await settle();
    expect(evictions).toEqual([]);
    expect(pool.list()[0]).toMatchObject({ status: "available", problem: "ended with 1" });
    expect((await acquire("a")).model.found.manifest.id).toBe("a");
  });
});

describe("start and stop", () => {
  test("the pinned are loaded from the start", async () => {
    const { pool, events } = poolOf(["a", "b", "c"], { pinned: ["c", "a"] });
    await pool.start();
    expect(events).toEqual(["open a", "open c"]);
    expect(pool.list().map(({ pinned }) => pinned)).toEqual([true, false, true]);
  });

  test.each([{ pinned: ["nope"] }, { pinned: ["broken"] }])("$pinned can't be pinned", async (options) => {
    const { pool } = poolOf(["a"], options);
    await expect(pool.start()).rejects.toBeInstanceOf(UsageError);
  });

  test("a default model that can't be opened fails the start with the reason", async () => {
    const { pool } = poolOf(["unreadable"]);
    await expect(pool.start()).rejects.toThrow("its tokenizer is damaged");
  });

  test("stopped, a model that is being opened ends too", async () => {
    const { pool, acquire, events, holdBack } = poolOf(["a", "b"]);
    await pool.start();
    await settle();
    const open = holdBack();
    const waiting = acquire("b");
    await settle();
    const stopped = pool.stop();
    await settle();
    open();
    await stopped;
    await waiting;
    expect(events.filter((event) => event.startsWith("stop")).sort()).toEqual(["stop a", "stop b"]);
  });

  test("stop ends every process, refuses the requests that wait, and takes no more", async () => {
    const { pool, acquire, touch, events } = poolOf(["a", "b", "c"], { memoryBytes: roomForTwo });
    await pool.start();
    await settle();
    const computing = await acquire("b");
    const waiting = refusalOf(acquire("c"));
    await settle();
    await pool.stop();
    expect((await waiting).code).toBe("SHUTTING_DOWN");
    expect(events.filter((event) => event.startsWith("stop")).sort()).toEqual(["stop a", "stop b"]);
    computing.release();
    expect((await refusalOf(touch("a"))).code).toBe("SHUTTING_DOWN");
  });
});
