import { type Reading, readTrigger } from "./read-trigger.ts";
import type { TriggerReading } from "./trigger-input.ts";
import type { HttpJsonTrigger, PrometheusTrigger, Trigger } from "./trigger-source.ts";

type External = PrometheusTrigger | HttpJsonTrigger;
const isExternal = (trigger: Trigger): trigger is External =>
  trigger.kind === "prometheus" || trigger.kind === "http-json";

interface Kept {
  readonly asked: string;
  readonly atMs: number;
  readonly reading: TriggerReading;
}

/** Reading of a trigger, with its failures in a row. */
export const toReading = (trigger: string, said: Reading, failuresBefore: number): TriggerReading =>
  "value" in said
    ? { trigger, value: said.value, failures: 0, reason: null }
    : { trigger, value: null, failures: failuresBefore + 1, reason: said.fault };

/** Text that identifies a source: what is asked, not how the answer is used, so that a changed target is no new source. */
const question = ({ target, activation, metricType, name, ...rest }: External) => JSON.stringify(rest);

export type TriggerPoller = ReturnType<typeof createTriggerPoller>;

/** Polls external sources, and remembers their answers and failures in a row. */
export function createTriggerPoller(environment: Readonly<Record<string, string | undefined>>) {
  const kept = new Map<string, Kept>();
  const abort = new AbortController();
  return {
    /** Polls all sources of `triggers` at once; resolves when the slowest has answered or timed out. Never rejects. */
    async poll(triggers: readonly Trigger[], nowMs: number): Promise<void> {
      const external = triggers.filter(isExternal);
      for (const name of kept.keys()) if (!external.some((trigger) => trigger.name === name)) kept.delete(name);
      await Promise.all(
        external.map(async (trigger) => {
          const asked = question(trigger);
          const said = await readTrigger(trigger, environment, abort.signal);
          const before = kept.get(trigger.name);
          const failures = before?.asked === asked ? before.reading.failures : 0;
          kept.set(trigger.name, { asked, atMs: nowMs, reading: toReading(trigger.name, said, failures) });
        }),
      );
    },
    /** Returns the newest reading of each; one older than `maxAgeMs` counts as a failure. */
    readings: (triggers: readonly Trigger[], nowMs: number, maxAgeMs: number) =>
      triggers.filter(isExternal).map((trigger): TriggerReading => {
        const last = kept.get(trigger.name);
        if (last === undefined || last.asked !== question(trigger)) {
          return { trigger: trigger.name, value: null, failures: 0, reason: "has not been queried yet" };
        }
        const { reading, atMs } = last;
        if (reading.value === null || Math.abs(nowMs - atMs) <= maxAgeMs) return reading;
        const ageS = Math.round((nowMs - atMs) / 1000);
        return { trigger: trigger.name, value: null, failures: 1, reason: `its newest answer is ${ageS} s old` };
      }),
    /** Aborts requests in progress. */
    stop: () => abort.abort(),
  };
}
