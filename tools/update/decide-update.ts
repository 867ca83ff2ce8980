import { compareVersions } from "#protocol/release/version-order.ts";

/** Statement of the one who makes releases, its signature already checked. */
export interface Release {
  readonly version: string;
  readonly releasedAtMs: number;
  readonly expiresAtMs: number;
  /** Oldest version that can be updated to it in one step; null: any. */
  readonly minVersion: string | null;
  /** Versions that are called back. */
  readonly revoked: readonly string[];
  /** True: it has a file for this kind of machine. */
  readonly hasFile: boolean;
}

export interface UpdateInputs {
  readonly release: Release;
  readonly current: string;
  /** Version that was asked for by name; null: the newest. */
  readonly wanted: string | null;
  readonly allowDowngrade: boolean;
  readonly allowExpired: boolean;
  /** True: the fleet's controller asked, and nobody is there to look. */
  readonly byFleet: boolean;
  readonly seenManifestMs: number;
  readonly revoked: readonly string[];
  readonly failed: readonly string[];
  readonly nowMs: number;
  readonly builtAtMs: number;
}

export type RefusalRule =
  | "other-version"
  | "revoked"
  | "expired"
  | "older-manifest"
  | "no-file"
  | "downgrade"
  | "too-far"
  | "failed-before";

export type UpdateDecision =
  | { readonly kind: "install"; readonly version: string }
  | { readonly kind: "up-to-date" }
  | { readonly kind: "refuse"; readonly rule: RefusalRule };

/** Time that is not before any that is known for sure: a clock that stands in 1970 must not make an expired release valid. */
export const knownTimeMs = (inputs: Pick<UpdateInputs, "nowMs" | "builtAtMs" | "seenManifestMs">): number =>
  Math.max(inputs.nowMs, inputs.builtAtMs, inputs.seenManifestMs);

/** Decides whether a machine takes a release. */
export function decideUpdate(inputs: UpdateInputs): UpdateDecision {
  const { release, current, wanted } = inputs;
  const refuse = (rule: RefusalRule): UpdateDecision => ({ kind: "refuse", rule });
  if (wanted !== null && release.version !== wanted) return refuse("other-version");
  if (wanted === null && release.releasedAtMs < inputs.seenManifestMs) return refuse("older-manifest");
  if (!inputs.allowExpired && release.expiresAtMs < knownTimeMs(inputs)) return refuse("expired");
  if ([...inputs.revoked, ...release.revoked].includes(release.version)) return refuse("revoked");
  const order = compareVersions(release.version, current);
  if (order === 0) return { kind: "up-to-date" };
  if (!release.hasFile) return refuse("no-file");
  if (order < 0 && !inputs.allowDowngrade) return refuse("downgrade");
  if (order > 0 && release.minVersion !== null && compareVersions(current, release.minVersion) < 0)
    return refuse("too-far");
  if (inputs.byFleet && inputs.failed.includes(release.version)) return refuse("failed-before");
  return { kind: "install", version: release.version };
}
