import { hostname } from "node:os";
import { systemClock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import type { SafetyStore } from "./store/store.ts";

/** Makes sure that one controller at a time acts on a store: whoever holds the lease. Times are the machine's own. */
export interface ControllerLease {
  /** Waits until nobody else holds it; false when `signal` aborted first. Renews it from then on. */
  acquire(signal: AbortSignal): Promise<boolean>;
  /** Whether it is held now. A process that was suspended finds that it is not. */
  isHeld(): boolean;
  /** Gives it back. */
  release(): Promise<void>;
}

export interface LeaseTimes {
  /** After so long without renewal somebody else may take it. */
  readonly forMs: number;
  readonly renewMs: number;
}

const leaseTimes: LeaseTimes = { forMs: 15_000, renewMs: 3000 };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // One that is alive but somebody else's may not be signalled.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** @param onLost is called once when somebody else has taken it. */
export function createControllerLease(
  store: SafetyStore,
  log: Logger,
  onLost: () => void,
  times: LeaseTimes = leaseTimes,
): ControllerLease {
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
  /** A holder that ended on this machine without taking leave need not be waited for. */
  const clearDead = async () => {
    const [otherHost, pid] = (await store.lease())?.holder.split("/") ?? [];
    if (otherHost === host && !isAlive(Number(pid))) await store.giveUpLease((await store.lease())?.holder ?? "");
  };
  return {
    async acquire(signal) {
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
    isHeld: () => !isLost && Date.now() < heldUntilMs,
    async release() {
      await renewing?.stop();
      heldUntilMs = Number.NEGATIVE_INFINITY;
      await store.giveUpLease(holder);
    },
  };
}
