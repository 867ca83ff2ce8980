import { afterEach, describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { type ControllerLease, createControllerLease } from "#controller/controller-lease.ts";
import { createFleetFreeze } from "#controller/scaling/loop/fleet-freeze.ts";
import { createLogger } from "#platform/log.ts";
import { createMemoryStore } from "./memory-store.ts";

const log = createLogger("test", "silent");
const leases: ControllerLease[] = [];
const lease = (
  store: ReturnType<typeof createMemoryStore>,
  onLost: () => void = () => undefined,
  forMs = 60_000,
  renewMs = 20,
) => {
  const made = createControllerLease({
    store,
    isShared: false,
    log,
    onLost,
    times: { forMs, renewMs, actForMs: forMs },
  });
  leases.push(made);
  return made;
};
const never = new AbortController().signal;
afterEach(() => Promise.all(leases.splice(0).map((each) => each.release())));

describe("lease", () => {
  test("the second stands by until the first gives it back", async () => {
    const store = createMemoryStore();
    const first = lease(store);
    const second = lease(store);
    expect(await first.acquire(never)).toBe(true);
    const waiting = second.acquire(never);
    expect(await Promise.race([waiting, Bun.sleep(50).then(() => "stands by")])).toBe("stands by");
    expect([first.isHeld(), second.isHeld()]).toEqual([true, false]);
    await first.release();
    expect(await waiting).toBe(true);
    expect([first.isHeld(), second.isHeld()]).toEqual([false, true]);
  });

  test("standing by can be given up", async () => {
    const store = createMemoryStore();
    await lease(store).acquire(never);
    const abort = new AbortController();
    const waiting = lease(store).acquire(abort.signal);
    abort.abort();
    expect(await waiting).toBe(false);
  });

  test("a holder that was suspended for too long is told that it has been replaced", async () => {
    const store = createMemoryStore();
    const lost = Promise.withResolvers<void>();
    const first = lease(store, lost.resolve);
    await first.acquire(never);
    // Its time passes without renewal, and somebody else takes it.
    const later = { realNowMs: Date.now() + 61_000, forMs: 60_000 };
    expect(await store.takeLease({ holder: "elsewhere/1/x", about: "another", ...later })).toBe(true);
    await lost.promise;
    expect(first.isHeld()).toBe(false);
  });

  test("nobody waits for a process of this machine that has died", async () => {
    const store = createMemoryStore();
    const dead = Bun.spawn(["true"]);
    await dead.exited;
    const wish = { about: "dead", realNowMs: Date.now(), forMs: 3_600_000 };
    await store.takeLease({ holder: `${hostname()}/${dead.pid}/x`, ...wish });
    expect(await lease(store).acquire(never)).toBe(true);
  });

  test("at a server: one that can't renew it stops acting before another may take it, and goes on when it can", async () => {
    const store = createMemoryStore();
    let isAway = false;
    const away = async () => {
      throw new Error("no answer");
    };
    const takeLease: typeof store.takeLease = (claim) => (isAway ? away() : store.takeLease(claim));
    const lost: string[] = [];
    const times = { forMs: 60_000, renewMs: 20, actForMs: 60 };
    const made = createControllerLease({
      ...{ store: { ...store, takeLease }, isShared: true, log, onLost: () => lost.push("lost"), times },
      apiUrl: () => "http://a:7070",
    });
    leases.push(made);
    expect(await made.acquire(never)).toBe(true);
    isAway = true;
    while (made.isHeld()) await Bun.sleep(5);
    // Nobody else had it meanwhile.
    isAway = false;
    while (!made.isHeld()) await Bun.sleep(5);
    expect(lost).toEqual([]);
  });

  test("at a server: a server that is away is waited for; the one who leads is told of", async () => {
    const store = createMemoryStore();
    await lease(store).acquire(never);
    let tries = 0;
    const takeLease: typeof store.takeLease = async (claim) => {
      tries += 1;
      if (tries < 3) throw new Error("no answer");
      return store.takeLease(claim);
    };
    const abort = new AbortController();
    const heard = Promise.withResolvers<string | undefined>();
    const times = { forMs: 60_000, renewMs: 20, actForMs: 60 };
    const second = createControllerLease({
      ...{ store: { ...store, takeLease }, isShared: true, log, onLost: () => undefined, times },
    });
    const waiting = second.acquire(abort.signal, (other) => heard.resolve(other?.about));
    expect(await heard.promise).toContain(`process ${process.pid}`);
    abort.abort();
    expect(await waiting).toBe(false);
  });

  test("of two that ask at once one gets it", async () => {
    const store = createMemoryStore();
    const wish = { about: "", realNowMs: 1000, forMs: 1000 };
    const taken = await Promise.all(["a", "b", "c"].map((holder) => store.takeLease({ holder, ...wish })));
    expect(taken).toEqual([true, false, false]);
    expect(await store.takeLease({ holder: "b", ...wish, realNowMs: 1999 })).toBe(false);
    expect(await store.takeLease({ holder: "b", ...wish, realNowMs: 2000 })).toBe(true);
  });
});

describe("freeze", () => {
  test("holds over a restart, ends by itself or by word, and is on record", async () => {
    const store = createMemoryStore();
    let nowMs = 1000;
    const make = () => createFleetFreeze({ store, nowMs: () => nowMs, onChange: () => undefined });
    const freeze = make();
    expect(freeze.current()).toBeNull();
    await freeze.set("fair", 60);
    const restarted = make();
    await restarted.recover();
    expect(restarted.current()).toEqual({ reason: "fair", sinceMs: 1000, untilMs: 61_000 });
    nowMs = 61_000;
    expect(restarted.current()).toBeNull();
    expect(await restarted.end()).toBe(false);
    await restarted.set("again", null);
    expect(await restarted.end()).toBe(true);
    const rows = await store.decisions({ kind: "freeze", limit: 9 });
    expect(rows.map(({ rule, reason }) => `${rule}: ${reason}`)).toEqual([
      "thawed: an operator ended the freeze",
      "frozen: an operator froze the fleet: again",
      "frozen: an operator froze the fleet for 60 s: fair",
    ]);
  });
});
