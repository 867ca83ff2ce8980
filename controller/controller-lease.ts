import { hostname } from "node:os";
import { systemClock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import { isProcessAlive } from "#platform/process/is-process-alive.ts";
import type { Lease, SafetyStore } from "./store/store.ts";

export interface LeaseTimes {
  /** Time without renewal after which another controller may take the lease. */
  readonly forMs: number;
  readonly renewMs: number;
  /** Time after a renewal for which this controller acts; shorter than `forMs` where clocks are not one. */
  readonly actForMs: number;
}

const timesOfFile: LeaseTimes = { forMs: 15_000, renewMs: 3_000, actForMs: 15_000 };

/** Times at a server: one that can't renew stops acting before another may lead. */
export const timesOfServer = (forMs: number): LeaseTimes => ({ forMs, renewMs: forMs / 5, actForMs: forMs * 0.8 });

export interface LeaseParts {
  readonly store: SafetyStore;
  /** True for a server's store, which controllers of several machines use. */
  readonly isShared: boolean;
  /** Address of this controller's API, for those that stand by; empty: not known yet. */
  readonly apiUrl?: () => string;
  readonly log: Logger;
  /** Called once when another controller has taken it. */
  readonly onLost: () => void;
  /** Default: those of a file. */
  readonly times?: LeaseTimes;
}

export type ControllerLease = ReturnType<typeof createControllerLease>;

/** Lease of a store: only the controller that holds it acts. Times are the machine's own. */
export function createControllerLease(parts: LeaseParts) {
  const { store, isShared, apiUrl = () => "", log, onLost } = parts;
  const { forMs, renewMs, actForMs } = parts.times ?? timesOfFile;
  const host = hostname();
  const holder = `${host}/${process.pid}/${crypto.randomUUID()}`;
  const about = `process ${process.pid} on ${host}`;
  const counted = createCountedLog(log, Date.now);
  // By two clocks: one stands still while the machine sleeps, the other may be set back.
  let heldUntil = { realMs: Number.NEGATIVE_INFINITY, runMs: Number.NEGATIVE_INFINITY };
  let renewing: PeriodicTask | null = null;
  let isLost = false;

  const take = async () => {
    const [realNowMs, runNowMs] = [Date.now(), performance.now()];
    const taken = await store.takeLease({ holder, about, apiUrl: apiUrl(), realNowMs, forMs });
    const lasts = taken ? actForMs : Number.NEGATIVE_INFINITY;
    heldUntil = { realMs: realNowMs + lasts, runMs: runNowMs + lasts };
    return taken;
  };
  const renew = async () => {
    if (isLost || (await take())) return;
    isLost = true;
    onLost();
    const other = await store.lease();
    log.error({ other: other?.about }, "another controller has taken over: this one stops deciding");
  };
  /** Removes the lease of a process of this machine that has ended without giving it back. */
  const clearDead = async () => {
    const [otherHost, pid] = (await store.lease())?.holder.split("/") ?? [];
    if (otherHost === host && !isProcessAlive(Number(pid)))
      await store.giveUpLease((await store.lease())?.holder ?? "");
  };
  /** Tries once. At a server a process of this host's name may be one of another container. */
  const tryToTake = async (): Promise<boolean> => {
    if (!isShared) await clearDead();
    return take();
  };
  return {
    /**
     * Waits until no other controller holds it, then renews it periodically; false when `signal` aborted first.
     * @param onWaiting called at first and from time to time with the one who holds it
     */
    async acquire(signal: AbortSignal, onWaiting: (other: Lease | null) => void = () => undefined): Promise<boolean> {
      let told = false;
      while (!signal.aborted) {
        try {
          if (await tryToTake()) {
            const report = (error: unknown) => counted.note("renewing the lease failed", { err: describeError(error) });
            renewing = runPeriodically(systemClock, renewMs, renew, report);
            return true;
          }
          const other = await store.lease();
          onWaiting(other);
          if (!told)
            log.warn({ other: other?.about }, "another controller acts on this store: standing by until it ends");
          told = true;
        } catch (error) {
          // A file that can't be written is for an operator to mend; a server may be away for a while.
          if (!isShared) throw error;
          counted.note("the lease can't be asked for", { err: describeError(error) });
        }
        await systemClock.sleep(renewMs / 3, signal);
      }
      return false;
    },
    /** True while it is held. A process that was suspended for too long has lost it. */
    isHeld: () => !isLost && Date.now() < heldUntil.realMs && performance.now() < heldUntil.runMs,
    async release(): Promise<void> {
      await renewing?.stop();
      heldUntil = { realMs: Number.NEGATIVE_INFINITY, runMs: Number.NEGATIVE_INFINITY };
      if (!isLost) await store.giveUpLease(holder);
    },
  };
}
