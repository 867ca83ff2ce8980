import type { Clock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { runPeriodically } from "#platform/periodic.ts";
import { hourMs, minuteMs, secondMs } from "#platform/time.ts";
import type { Alerts } from "./alerts/assemble-alerts.ts";
import type { ControllerAssembly } from "./assemble-controller.ts";
import type { ControllerConfig } from "./config.ts";

const rolloutEachMs = 2_000;
/** Time between two checks of the store's size. */
const trimEachMs = hourMs / 12;
/** Time between two checks whether a day's digest is due. */
const digestEachMs = 10 * minuteMs;
/** Time after a minute's end at which alerts are evaluated: its records have arrived by then. */
const alertsAfterMs = 20 * secondMs;
/** Minimum time between two lists: each goes to every agent. */
const peerListEachMs = 10 * secondMs;

/**
 * Starts what the leading controller does again and again.
 * @returns the steps that stop it, in the order of starting; a step may return a promise.
 */
export function startPeriodicTasks(
  { desired, peerList, loop, rollout, housekeeping, retirement, ingest, ledger }: ControllerAssembly,
  alerts: Alerts,
  {
    scaling,
    log,
    clock,
  }: { readonly scaling: ControllerConfig["scaling"]; readonly log: Logger; readonly clock: Clock },
): readonly (() => unknown)[] {
  const stops: (() => unknown)[] = [];
  const each = (periodMs: number, what: string, task: () => Promise<unknown>, shiftMs = 0) => {
    const report = (error: unknown) => log.error({ err: describeError(error) }, `${what} failed`);
    const run = async () => void (await task());
    const periodic = runPeriodically(clock, periodMs, run, report, shiftMs);
    stops.push(() => periodic.stop());
  };
  each(rolloutEachMs, "rolling a version out", () => rollout.evaluate());
  each(scaling.intervalMs, "deciding", () => loop.run(), scaling.offsetMs);
  each(peerListEachMs, "listing the agents to follow", () => peerList.publish());
  each(digestEachMs, "telling the digest", () => alerts.tellDaily());
  each(minuteMs, "looking for alerts", () => alerts.look(), alertsAfterMs);
  each(hourMs, "renewing the seals of documents", () => desired.renewSeals());
  each(hourMs, "removing old records", async () => {
    await housekeeping.clean();
    await ledger.prune();
    await retirement.retireSilent();
  });
  const closing = new AbortController();
  each(minuteMs, "rolling up costs", () => ledger.run(() => closing.signal.aborted));
  stops.push(() => closing.abort());
  each(trimEachMs, "keeping the store's size", async () => {
    await ingest.reconsider();
    await housekeeping.trim();
  });
  return stops;
}
