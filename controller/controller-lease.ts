import { hostname } from "node:os";
import { systemClock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import { isProcessAlive } from "#platform/process/is-process-alive.ts";
import type { SafetyStore } from "./store/store.ts";

/** Time without renewal after which another controller may take the lease, and time between two renewals. */
const leaseTimes = { forMs: 15_000, renewMs: 3000 };

export type ControllerLease = ReturnType<typeof createControllerLease>;

/**
 * Lease of a store: only the controller that holds it acts. Times are the machine's own.
 * @param onLost is called once when another controller has taken it.
 */
export function createControllerLease(store: SafetyStore, log: Logger, onLost: () => void, times = leaseTimes) {
  const host = hostname();
  const holder = `${host}/${process.pid}/${crypto.randomUUID()}`;
  const about = `process ${process.pid} on ${host}`;
  let heldUntilMs = Number.NEGATIVE_INFINITY;
  let renewing: PeriodicTask | null = null;
  let isLost = false;

  const take = async () => {
    const realNowMs = Date.now();
    const taken = await store.takeLease({ holder, about, realNowMs, forMs: times.forMs });
    heldUntilMs = taken ? realNowMs + times.forMs : Number.NEGATIVE_INFINITY;
    return taken;
  };
  const renew = async () => {
    if (isLost || (await take())) return;
    isLost = true;
    const other = await store.lease();
    log.error({ other: other?.about }, "another controller has taken over: this one stops deciding");
    onLost();
  };
  /** Removes the lease of a process of this machine that has ended without giving it back. */
  const clearDead = async () => {
    const [otherHost, pid] = (await store.lease())?.holder.split("/") ?? [];
    if (otherHost === host && !isProcessAlive(Number(pid)))
      await store.giveUpLease((await store.lease())?.holder ?? "");
  };
  return {
    /** Waits until no other controller holds it, then renews it periodically; false when `signal` aborted first. */
    async acquire(signal: AbortSignal): Promise<boolean> {
      let told = false;
      while (!signal.aborted) {
        await clearDead();
        if (await take()) {
          const report = (error: unknown) => log.error({ err: describeError(error) }, "renewing the lease failed");
          renewing = runPeriodically(systemClock, times.renewMs, renew, report);
          return true;
        }
        if (!told) {
          const other = await store.lease();
          log.warn({ other: other?.about }, "another controller acts on this store: standing by until it ends");
          told = true;
        }
        await systemClock.sleep(times.renewMs / 3, signal);
      }
      return false;
    },
    /** True while it is held. A process that was suspended for too long has lost it. */
    isHeld: () => !isLost && Date.now() < heldUntilMs,
    async release(): Promise<void> {
      await renewing?.stop();
      heldUntilMs = Number.NEGATIVE_INFINITY;
      await store.giveUpLease(holder);
    },
  };
}
