import { describe, expect, test } from "bun:test";
import { decideUpdate, type Release, type UpdateInputs } from "#tools/update/decide-update.ts";
import { explainUpdate } from "#tools/update/explain-update.ts";

const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 11, 10);
const release: Release = {
  ...{ version: "0.2.0", releasedAtMs: nowMs - dayMs, expiresAtMs: nowMs + 30 * dayMs },
  ...{ minVersion: "0.1.0", revoked: [], hasFile: true },
};
const inputs: UpdateInputs = {
  ...{ release, current: "0.1.0", wanted: null, allowDowngrade: false, allowExpired: false, byFleet: false },
  ...{ seenManifestMs: 0, revoked: [], failed: [], nowMs, builtAtMs: nowMs - 9 * dayMs },
};
type Change = Partial<Omit<UpdateInputs, "release">> & { readonly release?: Partial<Release> };
const given = ({ release: changed, ...rest }: Change): UpdateInputs => ({
  ...inputs,
  ...rest,
  release: { ...release, ...changed },
});

describe("a release is taken or not", () => {
  test.each<[string, Change, string]>([
    ["newer", {}, "install 0.2.0"],
    ["asked for by name", { wanted: "0.2.0" }, "install 0.2.0"],
    ["the one in force", { current: "0.2.0" }, "up-to-date"],
    ["the one in force, and a newer was called for", { current: "0.2.0", wanted: "0.3.0" }, "other-version"],
    ["older than the one in force", { current: "0.3.0" }, "downgrade"],
    ["older, and wanted all the same", { current: "0.3.0", allowDowngrade: true }, "install 0.2.0"],
    ["a release after its own candidate", { current: "0.2.0-rc.1" }, "install 0.2.0"],
    ["a candidate of the one in force", { current: "0.2.0", release: { version: "0.2.0-rc.1" } }, "downgrade"],
    ["ended", { release: { expiresAtMs: nowMs - 1 } }, "expired"],
    ["ends now", { release: { expiresAtMs: nowMs } }, "install 0.2.0"],
    ["ended, and wanted all the same", { release: { expiresAtMs: 1 }, allowExpired: true }, "install 0.2.0"],
    ["ended, by a clock in 1970", { nowMs: 0, release: { expiresAtMs: nowMs - 10 * dayMs } }, "expired"],
    [
      "ended, by a manifest seen earlier",
      { nowMs: 0, seenManifestMs: nowMs, wanted: "0.2.0", release: { expiresAtMs: nowMs - 1 } },
      "expired",
    ],
    ["valid, by a clock in 1970", { nowMs: 0 }, "install 0.2.0"],
    ["older than a manifest seen", { seenManifestMs: nowMs }, "older-manifest"],
    ["as old as the one seen", { seenManifestMs: nowMs - dayMs }, "install 0.2.0"],
    ["older than one seen, but asked for by name", { seenManifestMs: nowMs, wanted: "0.2.0" }, "install 0.2.0"],
    ["called back by itself", { release: { revoked: ["0.2.0"] } }, "revoked"],
    ["called back by an earlier one", { revoked: ["0.2.0"] }, "revoked"],
    [
      "called back, however much wanted",
      { revoked: ["0.2.0"], wanted: "0.2.0", allowDowngrade: true, allowExpired: true },
      "revoked",
    ],
    ["without a file for this machine", { release: { hasFile: false } }, "no-file"],
    ["too far ahead", { release: { minVersion: "0.1.5" } }, "too-far"],
    [
      "too far ahead, going back",
      { current: "0.3.0", allowDowngrade: true, release: { minVersion: "0.4.0" } },
      "install 0.2.0",
    ],
    ["failed before, by hand", { failed: ["0.2.0"] }, "install 0.2.0"],
    ["failed before, by the fleet", { failed: ["0.2.0"], byFleet: true }, "failed-before"],
  ])("%s", (_, change, expected) => {
    const decided = decideUpdate(given(change));
    const said =
      decided.kind === "install"
        ? `install ${decided.version}`
        : decided.kind === "refuse"
          ? decided.rule
          : decided.kind;
    expect(said).toBe(expected);
    const sentence = explainUpdate(decided, given(change));
    expect(sentence).not.toContain("undefined");
    expect(sentence).toContain(decided.kind === "up-to-date" ? "0.2.0" : (change.release?.version ?? "0.2.0"));
  });
});
