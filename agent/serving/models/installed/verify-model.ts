import { join } from "node:path";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { hashFile } from "#agent/serving/models/pull/hash-file.ts";
import { embeddedModels } from "#models/embedded-models.ts";

/** Computes the hash of each file of a model again. The status is `unknown` when its directory has no manifest with hashes. */
export async function verifyModel({ manifest, origin }: Pick<FoundModel, "manifest" | "origin">) {
  const { id } = manifest;
  const pathOf = (file: string) => (origin === "embedded" ? embeddedModels[id]?.files[file] : join(origin, file));
  const verify = async (path: string, expected: string) => {
    const place = pathOf(path);
    const hashes = place === undefined ? null : await hashFile(place).catch(() => null);
    const actual = hashes?.sha256 ?? null;
    const status = actual === null ? "missing" : actual === expected ? "ok" : "changed";
    return { path, expected, actual, status } as const;
  };
  const files: Awaited<ReturnType<typeof verify>>[] = [];
  for (const [path, { sha256 }] of Object.entries(manifest.files))
    if (sha256 !== undefined) files.push(await verify(path, sha256));
  const status = files.length === 0 ? "unknown" : files.every((file) => file.status === "ok") ? "ok" : "damaged";
  return { id, origin, status, files } as const;
}
