import { join } from "node:path";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { hashFile } from "#agent/serving/models/pull/hash-file.ts";
import { embeddedModels } from "#models/embedded-models.ts";

export interface VerifiedFile {
  readonly path: string;
  readonly status: "ok" | "changed" | "missing";
  readonly expected: string;
  readonly actual: string | null;
}

export interface VerifiedModel {
  readonly id: string;
  readonly origin: string;
  /** `unknown`: its directory has no manifest with hashes. */
  readonly status: "ok" | "damaged" | "unknown";
  readonly files: readonly VerifiedFile[];
}

/** Computes the hash of each file of a model again. */
export async function verifyModel({
  manifest,
  origin,
}: Pick<FoundModel, "manifest" | "origin">): Promise<VerifiedModel> {
  const { id } = manifest;
  const pathOf = (file: string): string | undefined =>
    origin === "embedded" ? embeddedModels[id]?.files[file] : join(origin, file);
  const files: VerifiedFile[] = [];
  for (const [path, { sha256: expected }] of Object.entries(manifest.files)) {
    if (expected === undefined) continue;
    const place = pathOf(path);
    const actual =
      place === undefined
        ? null
        : await hashFile(place).then(
            ({ sha256 }) => sha256,
            () => null,
          );
    files.push({
      path,
      expected,
      actual,
      status: actual === null ? "missing" : actual === expected ? "ok" : "changed",
    });
  }
  const status = files.length === 0 ? "unknown" : files.every((file) => file.status === "ok") ? "ok" : "damaged";
  return { id, origin, status, files };
}
