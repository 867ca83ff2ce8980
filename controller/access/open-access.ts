import { systemClock } from "#platform/clock.ts";
import { describeError } from "#platform/errors.ts";
import { allKeys } from "#platform/http/guard/all-keys.ts";
import type { IssuedKeys } from "#platform/http/guard/authenticate.ts";
import { assertListenAllowed } from "#platform/http/guard/listen-address.ts";
import { KeptSessions, Sessions } from "#platform/http/session/sessions.ts";
import type { Logger } from "#platform/log.ts";
import { type PeriodicTask, runPeriodically } from "#platform/periodic.ts";
import { OidcTokens, type OidcTokensParts } from "#protocol/identity/oidc/oidc-tokens.ts";
import type { ControllerConfig } from "../config.ts";
import type { TenantJobs } from "../privacy/tenant-jobs.ts";
import type { KeptStore, KeyStore, TenantStore } from "../store/store.ts";
import type { AccessPublisher } from "./access-publisher.ts";
import { KeyRing } from "./key-ring.ts";
import type { OidcConfig } from "./oidc-config.ts";
import { roleOfClaims } from "./role-of-claims.ts";
import { Tenants } from "./tenants.ts";

/** Time after which a change that another process made counts. */
const refreshEachMs = 2_000;

const sessionsKeptAs = "sessions";

/** Keys and tenants known to the controller. */
export interface ControllerAccess {
  readonly keys: KeyRing;
  readonly tenants: Tenants;
  /** Keys and tokens that open the API. */
  readonly issued: IssuedKeys;
  /** Sessions of browsers. */
  readonly sessions: Sessions;
}

/** Returns the caller of a token's claims, whose role they tell. */
export const callerWithRole =
  (config: Pick<OidcConfig, "rolesClaim" | "roles">): OidcTokensParts["callerOf"] =>
  (claims, name) => {
    const role = roleOfClaims(claims, config);
    return { tenant: null, name, ...(role === null ? {} : { role }) };
  };

/**
 * Loads keys, tenants and sessions.
 * @param parts with `isLeading` false no session outlasts a restart, nor does one of the leading controller hold here
 * @throws UsageError when the API's address needs a key and there is none
 */
export async function openAccess(
  { api, insecure, retention }: Pick<ControllerConfig, "api" | "insecure" | "retention">,
  parts: {
    readonly store: KeyStore & TenantStore & KeptStore;
    readonly nowMs: () => number;
    readonly log: Logger;
    readonly isLeading: boolean;
  },
): Promise<ControllerAccess> {
  const { host, apiKeys, oidc } = api;
  const { issuer, audience } = oidc;
  const tokens =
    issuer === null || audience === null
      ? []
      : [new OidcTokens({ config: { issuer, audience }, callerOf: callerWithRole(oidc), nowMs: Date.now })];
  const keys = new KeyRing({ ...parts, hasOtherKeys: apiKeys.length + tokens.length > 0 });
  const tenants = new Tenants({ ...parts, minuteDays: retention.minuteDays });
  await keys.load();
  await tenants.load();
  const issued = allKeys([keys, ...tokens]);
  assertListenAllowed("api", { host, apiKeys, insecure, hasIssuedKeys: issued.required });
  const { store, log } = parts;
  const memory = {
    load: () => store.loadKept(sessionsKeptAs, KeptSessions),
    save: (kept: KeptSessions) => store.saveKept(sessionsKeptAs, kept),
  };
  const sessions = new Sessions({ memory: parts.isLeading ? memory : null, nowMs: Date.now, log });
  await sessions.load();
  return { keys, tenants, issued, sessions };
}

/** Keeps keys and tenants in step with the store, stores when keys were used, continues with jobs, and tells the agents. */
export function keepAccessFresh(
  { keys, tenants, sessions }: Pick<ControllerAccess, "keys" | "tenants" | "sessions">,
  publisher: Pick<AccessPublisher, "publish">,
  jobs: Pick<TenantJobs, "run">,
  log: Logger,
): PeriodicTask {
  const refresh = async () => {
    await keys.refresh();
    await tenants.load();
    await jobs.run();
    await publisher.publish();
    await sessions.refresh();
  };
  const report = (error: unknown) => log.error({ err: describeError(error) }, "tenants can't be read again");
  const task = runPeriodically(systemClock, refreshEachMs, refresh, report);
  return {
    async stop() {
      await task.stop();
      await keys.refresh();
      await sessions.refresh(true);
    },
  };
}
