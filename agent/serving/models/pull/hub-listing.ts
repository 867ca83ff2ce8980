import { type Static, Type } from "@sinclair/typebox";
import { cleanText } from "#platform/clean-text.ts";
import { explainFirstMistake } from "#platform/explain-schema-error.ts";
import { describingPaths } from "./decide-pull-files.ts";
import { askHub, type HubAccess } from "./hub-request.ts";
import { PullError } from "./pull-error.ts";
import { readBounded } from "./read-body.ts";

export interface HubFile {
  readonly path: string;
  readonly bytes: number | null;
  /** Hash of a large file, which the hub keeps as an LFS object. */
  readonly sha256: string | null;
  /** Hash of a small file, which is a git object. */
  readonly gitSha1: string | null;
}

export interface HubListing {
  /** Commit of the revision; null when the server doesn't state it. */
  readonly commit: string | null;
  readonly licence: string | null;
  readonly files: readonly HubFile[];
  /** True for a plain file server, which has no list: these are the files that it may have. */
  readonly guessed: boolean;
}

/** Lists of the largest repositories have a few megabytes. */
const maxListingBytes = 16 * 1024 * 1024;
const maxFiles = 100_000;
const maxTextLength = 200;

const Sibling = Type.Object({
  rfilename: Type.String({ maxLength: 4096 }),
  size: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
  blobId: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  lfs: Type.Optional(Type.Union([Type.Object({ sha256: Type.Optional(Type.String()) }), Type.Null()])),
});
const ModelInfo = Type.Object({
  sha: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  siblings: Type.Array(Sibling, { maxItems: maxFiles }),
  tags: Type.Optional(Type.Array(Type.String(), { maxItems: maxFiles })),
});

const isSha256 = (text: string | null | undefined): text is string =>
  typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
const isSha1 = (text: string | null | undefined): text is string =>
  typeof text === "string" && /^[0-9a-f]{40}$/.test(text);

/** Returns a commit's name, which becomes part of addresses and of a manifest. */
const commitOrNull = (text: string | null | undefined) =>
  typeof text === "string" && /^[0-9A-Za-z._-]{1,64}$/.test(text) ? text : null;
const sizeOrNull = (size: unknown) =>
  typeof size === "number" && Number.isSafeInteger(size) && size >= 0 ? size : null;

function fromInfo({ sha, siblings, tags }: Static<typeof ModelInfo>): HubListing {
  const files = siblings.map(({ rfilename, size, blobId, lfs }) => {
    const large = lfs !== undefined && lfs !== null;
    return {
      path: rfilename,
      bytes: sizeOrNull(size),
      sha256: isSha256(lfs?.sha256) ? lfs.sha256 : null,
      // The git object of an LFS object is only a pointer to it.
      gitSha1: !large && isSha1(blobId) ? blobId : null,
    };
  });
  const licence = tags?.find((tag) => tag.startsWith("license:"));
  return {
    commit: commitOrNull(sha),
    licence: licence === undefined ? null : cleanText(licence.slice("license:".length), maxTextLength),
    files,
    guessed: false,
  };
}

function guess(onnxPaths: readonly string[]): HubListing {
  const files = [...describingPaths, ...onnxPaths].map((path) => ({ path, bytes: null, sha256: null, gitSha1: null }));
  return { commit: null, licence: null, files, guessed: true };
}

const encodePath = (path: string) => path.split("/").map(encodeURIComponent).join("/");

/**
 * Lists the files of a repository at a revision.
 * @param onnxPaths weights to try when the server has no list (a mirror that is a plain file server)
 * @throws PullError; the signal's reason when it aborts.
 */
export async function listRepository(
  access: HubAccess,
  repo: string,
  revision: string,
  onnxPaths: readonly string[],
  signal: AbortSignal,
): Promise<HubListing> {
  const path = `api/models/${encodePath(repo)}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const what = `${repo}@${revision}`;
  const { response } = await askHub(access, path, what, { signal, accepted: [404, 405, 501] });
  // Hugging Face answers in JSON that there is no such repository; a file server has no such path.
  const text = await readBounded(response, `the list of files of ${what}`, {
    maxBytes: maxListingBytes,
    timeoutMs: access.timeoutMs,
    signal,
  });
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    return guess(onnxPaths);
  }
  if (response.status !== 200) {
    const code = response.headers.get("x-error-code");
    if (code === null) return guess(onnxPaths);
    throw new PullError(`${what} does not exist on ${new URL(access.baseUrl).host} (${code})`);
  }
  const mistake = explainFirstMistake(ModelInfo, body);
  if (mistake !== null) {
    throw new PullError(`${new URL(access.baseUrl).host} describes ${what} in an unreadable form: ${mistake}`);
  }
  return fromInfo(body as Static<typeof ModelInfo>);
}

/** Returns the address of a file beneath the hub's. */
export function filePath(repo: string, revision: string, path: string): string {
  return `${encodePath(repo)}/resolve/${encodeURIComponent(revision)}/${encodePath(path)}`;
}

/** Reads the hub's statement from the headers of its answer, then from those of the servers it redirects to. */
export function describeFromHeaders(hops: readonly Headers[]): Omit<HubFile, "path"> & { commit: string | null } {
  const first = (name: string) => hops.map((headers) => headers.get(name)).find((value) => value !== null) ?? null;
  const plain = (etag: string | null) => etag?.replace(/^W\//, "").replaceAll('"', "") ?? null;
  const linked = plain(first("x-linked-etag"));
  const etag = plain(hops[0]?.get("etag") ?? null);
  const hash = linked ?? etag;
  const bytes = Number(first("x-linked-size") ?? Number.NaN);
  return {
    bytes: sizeOrNull(bytes),
    sha256: isSha256(hash) ? hash : null,
    gitSha1: isSha1(hash) ? hash : null,
    commit: commitOrNull(first("x-repo-commit")),
  };
}
