import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { explainFirstMistake } from "#platform/explain-schema-error.ts";
import { parseTime } from "#platform/parse-time.ts";
import { versionPattern } from "./version-order.ts";

/** Name under which a release's manifest lies beside its files; its signature has `.minisig` after it. */
export const manifestName = "manifest.json";
export const signatureSuffix = ".minisig";

/** Machines that files of a release are for. */
const releaseTargets = ["linux-x64", "linux-arm64"] as const;
export type ReleaseTarget = (typeof releaseTargets)[number];

/** Kinds of file in a release. A later release may have others, which clients leave alone. */
export type ReleaseFileKind =
  /** The program as it runs. */
  | "executable"
  /** The same, compressed by zstd for the way, for `thormesh update`. */
  | "executable-zst"
  /** The same, compressed by xz, for the installer: a shell script can't read zstd everywhere. */
  | "executable-xz"
  | "deb"
  | "oci-image"
  | "sbom"
  | "licences"
  | "helm-chart"
  | "installer";

/** Largest file that a release may have: a client reads no more, whatever a server sends. */
export const maxReleaseFileBytes = 1024 ** 3;
/** Largest manifest that is read. */
export const maxManifestBytes = 256 * 1024;
const maxFiles = 64;
const maxRevoked = 1000;

const versionText = (description: string) =>
  Type.String({ pattern: versionPattern, maxLength: 64, title: "a version such as 1.2.0", description });
const instant = (description: string) =>
  Type.String({
    pattern: "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
    title: "a time in UTC such as 2026-11-30T12:00:00Z",
    description,
  });
const word = (title: string, description: string) =>
  Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,31}$", title, description });
const hexadecimal = (digits: number, name: string) =>
  Type.String({ pattern: `^[0-9a-f]{${digits}}$`, title: `${name} of ${digits} hexadecimal digits` });

export const ReleaseFile = Type.Object({
  name: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$", title: "a file name without a path" }),
  kind: word("a kind such as executable", "what the file is"),
  target: Type.Union([word("a target such as linux-arm64", "the machine it is for"), Type.Null()], {
    description: "null: for every machine",
  }),
  size: Type.Integer({ minimum: 1, maximum: maxReleaseFileBytes, description: "in bytes" }),
  sha256: hexadecimal(64, "SHA-256"),
  blake2b: hexadecimal(128, "BLAKE2b-512"),
});
export type ReleaseFile = Static<typeof ReleaseFile>;

/** Description of one release, to be signed. Fields that are unknown are left alone: a later release may have more. */
export const ReleaseManifest = Type.Object({
  format: Type.Literal(1),
  product: Type.Literal("thormesh"),
  version: versionText("of all files"),
  releasedAt: instant("time of the release, the same in every signature's comment"),
  expires: instant("after this time it must not be taken for the newest release"),
  minVersion: versionText("oldest version that may be updated directly to this one"),
  revoked: Type.Array(versionText("true: withdrawn, must not be installed any more"), { maxItems: maxRevoked }),
  files: Type.Array(ReleaseFile, { minItems: 1, maxItems: maxFiles }),
});
export type ReleaseManifest = Static<typeof ReleaseManifest>;

/** @throws Error for a day that does not exist */
export function releaseTimes({ releasedAt, expires }: Pick<ReleaseManifest, "releasedAt" | "expires">) {
  const timeOf = (field: string, text: string): number => {
    const time = parseTime(text);
    if (time === null) throw new Error(`release manifest: ${field}: expected a day that exists, got ${text}`);
    return time;
  };
  return { releasedAtMs: timeOf("releasedAt", releasedAt), expiresMs: timeOf("expires", expires) };
}

/** @throws Error that names the field, what was expected and what came */
export function parseManifest(bytes: Uint8Array): ReleaseManifest {
  const fault = (text: string) => new Error(`release manifest: ${text}`);
  if (bytes.byteLength > maxManifestBytes)
    throw fault(`expected at most ${maxManifestBytes} bytes, got ${bytes.byteLength}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw fault("expected JSON in UTF-8, got something else");
  }
  if (!Value.Check(ReleaseManifest, parsed)) throw fault(explainFirstMistake(ReleaseManifest, parsed) ?? "not valid");
  const { releasedAtMs, expiresMs } = releaseTimes(parsed);
  if (expiresMs <= releasedAtMs)
    throw fault(`expires: expected a time after releasedAt (${parsed.releasedAt}), got ${parsed.expires}`);
  const names = new Set<string>();
  for (const [index, { name }] of parsed.files.entries()) {
    if (names.has(name)) throw fault(`files.${index}.name: ${JSON.stringify(name)} appears twice`);
    names.add(name);
  }
  return parsed;
}

/** @throws Error when there is no such file, or more than one */
export function fileOf(manifest: ReleaseManifest, kind: ReleaseFileKind, target: ReleaseTarget | null): ReleaseFile {
  const [found, other] = manifest.files.filter((file) => file.kind === kind && file.target === target);
  const wanted = `${kind} for ${target ?? "every machine"}`;
  if (found === undefined) throw new Error(`release manifest: ${manifest.version} has no ${wanted}`);
  if (other !== undefined) throw new Error(`release manifest: ${manifest.version} has two files that are ${wanted}`);
  return found;
}
