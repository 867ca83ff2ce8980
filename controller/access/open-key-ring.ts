import { systemClock } from "#platform/clock.ts";
import { assertListenAllowed } from "#platform/http/guard/listen-address.ts";
import type { Logger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import type { ControllerConfig } from "../config.ts";
import type { KeyStore } from "../store/store.ts";
import { KeyRing } from "./key-ring.ts";

/** Time after which a key that another process made or revoked counts. */
const refreshEachMs = 2_000;

/** Loads the keys that were issued. @throws UsageError when the API's address needs a key and there is none */
export async function openKeyRing(
  { api, insecure }: Pick<ControllerConfig, "api" | "insecure">,
  parts: { readonly store: KeyStore; readonly nowMs: () => number; readonly log: Logger },
): Promise<KeyRing> {
  const { host, apiKeys } = api;
  const keys = new KeyRing({ ...parts, hasOtherKeys: apiKeys.length > 0 });
  await keys.load();
  assertListenAllowed("api", { host, apiKeys, insecure, hasIssuedKeys: keys.required });
  return keys;
}

/** Keeps the keys in step with the store, and stores when they were used. */
export function keepKeysFresh(keys: KeyRing): PeriodicTask {
  const task = runPeriodically(
    systemClock,
    refreshEachMs,
    () => keys.refresh(),
    () => undefined,
  );
  return {
    async stop() {
      await task.stop();
      await keys.refresh();
    },
  };
}
