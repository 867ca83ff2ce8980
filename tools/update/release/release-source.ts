import { copyFileSync, existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { readRegularFile, readRegularText } from "#platform/files/read-regular-file.ts";
import { maxSignatureCharacters, type ReleaseKey } from "#protocol/release/minisign.ts";
import {
  manifestName,
  maxManifestBytes,
  type ReleaseFile,
  type ReleaseManifest,
  signatureSuffix,
} from "#protocol/release/release-manifest.ts";
import { verifyManifest, verifySignedFile } from "#protocol/release/verify-release.ts";
import type { Release } from "../decide-update.ts";
import { UpdateError } from "../update-error.ts";
import { readSmall, type ServerLimits } from "./ask-server.ts";
import { downloadRelease } from "./download-release.ts";

/** Kind of machine that files of a release are for. */
export const ownTarget = `${process.platform}-${process.arch}`;

/** Release that was found, with its file for this machine. */
export interface OfferedRelease {
  readonly release: Release;
  /** File that is fetched, and the executable that comes of it; null: none for this machine. */
  readonly files: { readonly fetched: ReleaseFile; readonly executable: ReleaseFile } | null;
  /** Brings the fetched file to a path, whole; its bytes are still to be compared. */
  bring(file: ReleaseFile, target: string, onProgress: (bytes: number) => void): Promise<void>;
}

function describe(manifest: ReleaseManifest): Pick<OfferedRelease, "release" | "files"> {
  const ours = manifest.files.filter(({ target }) => target === ownTarget);
  const executable = ours.find(({ kind }) => kind === "executable");
  const fetched = ours.find(({ kind }) => kind === "executable-zst") ?? executable;
  const files = executable === undefined || fetched === undefined ? null : { fetched, executable };
  return {
    files,
    release: {
      version: manifest.version,
      releasedAtMs: new Date(manifest.releasedAt).getTime(),
      expiresAtMs: new Date(manifest.expires).getTime(),
      minVersion: manifest.minVersion,
      revoked: manifest.revoked,
      hasFile: files !== null,
    },
  };
}

function verified(bytes: Uint8Array, signature: string, keys: readonly ReleaseKey[], where: string): ReleaseManifest {
  try {
    return verifyManifest(bytes, signature, keys);
  } catch (cause) {
    throw new UpdateError(`the manifest of ${where} is not trusted`, { cause });
  }
}

/** Reads a release at an address: the newest one there, or a version in a directory of its name. */
export async function releaseAt(
  base: string,
  version: string | null,
  keys: readonly ReleaseKey[],
  limits: ServerLimits,
  sleep: (ms: number) => Promise<void>,
): Promise<OfferedRelease> {
  const directory = new URL(base.endsWith("/") ? base : `${base}/`);
  const at = (name: string) => new URL(name, version === null ? directory : new URL(`${version}/`, directory));
  const bytes = await readSmall(at(manifestName), maxManifestBytes, limits);
  const signature = await readSmall(at(manifestName + signatureSuffix), maxSignatureCharacters, limits);
  const manifest = verified(bytes, new TextDecoder().decode(signature), keys, at(manifestName).host);
  return {
    ...describe(manifest),
    bring: (file, target, onProgress) =>
      downloadRelease({ url: at(file.name), bytes: file.size, target, limits, sleep, onProgress }),
  };
}

/** Reads a release from a file on this machine: by the manifest beside it, else by the file's own signature. */
export async function releaseFrom(path: string, keys: readonly ReleaseKey[]): Promise<OfferedRelease> {
  if (!existsSync(path)) throw new UsageError(`--file: ${path} does not exist`);
  const bring: OfferedRelease["bring"] = async (_, target) => copyFileSync(path, target);
  const manifestPath = join(dirname(path), manifestName);
  if (existsSync(manifestPath)) {
    const signature = await readRegularText(manifestPath + signatureSuffix, maxSignatureCharacters).catch((cause) => {
      throw new UpdateError(`${manifestPath} has no signature file`, { cause });
    });
    const bytes = await readRegularFile(manifestPath, maxManifestBytes);
    const described = describe(verified(bytes, signature, keys, manifestPath));
    const { files } = described;
    const listed =
      files === null ? undefined : [files.fetched, files.executable].find(({ name }) => name === basename(path));
    if (files !== null && listed === undefined)
      throw new UpdateError(
        `${path} is not among the files of ${described.release.version} for ${ownTarget}: expected ${files.executable.name}`,
      );
    return {
      ...described,
      files: listed === undefined || files === null ? null : { ...files, fetched: listed },
      bring,
    };
  }
  return { ...(await bySignature(path, keys)), bring };
}

/** A file that its own signature describes: nothing says when it ends to be the newest, as someone chose it by hand. */
async function bySignature(
  path: string,
  keys: readonly ReleaseKey[],
): Promise<Pick<OfferedRelease, "release" | "files">> {
  const signature = await readRegularText(path + signatureSuffix, maxSignatureCharacters).catch((cause) => {
    throw new UpdateError(`${path} has neither ${manifestName} nor ${basename(path)}${signatureSuffix} next to it`, {
      cause,
    });
  });
  try {
    const said = await verifySignedFile(path, signature, keys);
    const file = { ...said, name: basename(path), kind: "executable", size: Bun.file(path).size, blake2b: "" };
    const releasedAtMs = said.timestamp * 1000;
    return {
      files: said.target === ownTarget ? { fetched: file, executable: file } : null,
      release: {
        ...{ version: said.version, releasedAtMs, expiresAtMs: Number.POSITIVE_INFINITY },
        ...{ minVersion: null, revoked: [], hasFile: said.target === ownTarget },
      },
    };
  } catch (cause) {
    throw new UpdateError(`${path} is not trusted`, { cause });
  }
}
