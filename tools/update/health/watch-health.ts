import { decideHealth, type HealthLook, type ServiceBefore } from "./decide-health.ts";
import { explainHealth } from "./explain-health.ts";
import { lookAt, type ServiceAddress } from "./look-at-service.ts";

const lookEveryMs = 500;

/** A service whose new version is on trial. */
export interface WatchedService {
  readonly address: ServiceAddress;
  readonly before: ServiceBefore;
}

/** Looks at services until they have been well for the window, or one of them is not. Resolves with what is wrong; null: nothing. */
export async function watchHealth(
  services: readonly WatchedService[],
  version: string,
  times: { readonly startWithinMs: number; readonly windowMs: number },
  /** True once the guard at boot has gone back from the version: waiting longer would change nothing. */
  gaveUp: () => boolean = () => false,
): Promise<string | null> {
  const startedMs = performance.now();
  const afterMs = () => performance.now() - startedMs;
  const watched = services.map((service) => ({ ...service, looks: [] as HealthLook[], isDone: false }));
  while (watched.some(({ isDone }) => !isDone)) {
    if (gaveUp()) return "it did not start";
    for (const each of watched) {
      const { address, before, looks } = each;
      looks.push(await lookAt(address, afterMs()));
      const decision = decideHealth({ looks, version, before, ...times });
      if (decision.kind === "return") return explainHealth(decision.rule, address.kind);
      each.isDone = decision.kind === "healthy";
    }
    if (watched.some(({ isDone }) => !isDone)) await Bun.sleep(lookEveryMs);
  }
  return null;
}
