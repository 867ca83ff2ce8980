import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashBytes } from "#protocol/release/file-hashes.ts";
import { commentToText } from "#protocol/release/release-comment.ts";
import { manifestName, type ReleaseManifest, signatureSuffix } from "#protocol/release/release-manifest.ts";

export const ownTarget = `${process.platform}-${process.arch}`;

/** Key that signs releases as minisign does. */
export interface SigningKey {
  /** As a configuration names it. */
  readonly publicKey: string;
  sign(bytes: Uint8Array, about: { file: string; version: string; target: string; timestamp: number }): string;
}

export function createSigningKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const id = crypto.getRandomValues(new Uint8Array(8));
  const raw = Buffer.from((publicKey.export({ format: "jwk" }) as { x: string }).x, "base64url");
  return {
    publicKey: Buffer.concat([Buffer.from("Ed"), id, raw]).toString("base64"),
    sign: (bytes, about) => signatureText(privateKey, id, bytes, about),
  };
}

function signatureText(
  key: KeyObject,
  id: Uint8Array,
  bytes: Uint8Array,
  about: { file: string; version: string; target: string; timestamp: number },
): string {
  const hashes = hashBytes(bytes);
  const signature = sign(null, Buffer.from(hashes.blake2b, "hex"), key);
  const comment = commentToText({ ...about, sha256: hashes.sha256 });
  const second = sign(null, Buffer.concat([signature, Buffer.from(comment)]), key);
  const first = Buffer.concat([Buffer.from("ED"), id, signature]).toString("base64");
  return `untrusted comment: a test\n${first}\ntrusted comment: ${comment}\n${second.toString("base64")}\n`;
}

const instant = (atMs: number) => `${new Date(atMs).toISOString().slice(0, 19)}Z`;

export interface FakeRelease {
  readonly version: string;
  readonly executable: Uint8Array<ArrayBuffer>;
  readonly releasedAtMs?: number;
  readonly expiresAtMs?: number;
  readonly minVersion?: string;
  readonly revoked?: readonly string[];
  readonly target?: string;
  /** Lists a compressed file, too. */
  readonly compressed?: boolean;
}

export const releaseTimeMs = Date.UTC(2026, 11, 1);

/** Files of a release by name, as a server has them. */
export function releaseFiles(key: SigningKey, release: FakeRelease): Map<string, Uint8Array<ArrayBuffer>> {
  const { version, executable, target = ownTarget } = release;
  const releasedAtMs = release.releasedAtMs ?? releaseTimeMs;
  const name = `thormesh-${target}`;
  const files = new Map<string, Uint8Array<ArrayBuffer>>([[name, executable]]);
  const listed: ReleaseManifest["files"] = [{ name, kind: "executable", target, ...hashBytes(executable) }];
  if (release.compressed === true) {
    const compressed = new Uint8Array(Bun.zstdCompressSync(executable));
    files.set(`${name}.zst`, compressed);
    listed.push({ name: `${name}.zst`, kind: "executable-zst", target, ...hashBytes(compressed) });
  }
  const manifest: ReleaseManifest = {
    ...{ format: 1, product: "thormesh", version, releasedAt: instant(releasedAtMs) },
    expires: instant(release.expiresAtMs ?? Date.UTC(2036, 0, 1)),
    minVersion: release.minVersion ?? "0.0.1",
    ...{ revoked: [...(release.revoked ?? [])], files: listed },
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const about = { file: manifestName, version, target: "any", timestamp: releasedAtMs / 1000 };
  files.set(manifestName, bytes);
  files.set(manifestName + signatureSuffix, new TextEncoder().encode(key.sign(bytes, about)));
  return files;
}

/** Server of releases. */
export interface ReleaseServer {
  readonly url: string;
  /** Files by path, such as "manifest.json" and "0.2.0/manifest.json". */
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
  /** Paths in the order of the requests, with the range asked for. */
  readonly asked: string[];
  /** Answers instead of the file, where it returns an answer. */
  answer: ((path: string, request: Request) => Response | null) | null;
  publish(files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>, directory?: string): void;
  stop(): void;
}

export function serveReleases(): ReleaseServer {
  const files: ReleaseServer["files"] = new Map();
  const asked: string[] = [];
  const server = Bun.serve({
    ...{ port: 0, hostname: "127.0.0.1" },
    fetch(request) {
      const path = new URL(request.url).pathname.slice(1);
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
      asked.push(from === 0 ? path : `${path} from ${from}`);
      const special = self.answer?.(path, request) ?? null;
      if (special !== null) return special;
      const bytes = files.get(path);
      if (bytes === undefined) return new Response("not here", { status: 404 });
      if (from === 0) return new Response(bytes);
      const range = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
      return new Response(bytes.slice(from), { status: 206, headers: range });
    },
  });
  const self: ReleaseServer = {
    ...{ url: `http://127.0.0.1:${server.port}`, files, asked, answer: null },
    publish(given, directory = "") {
      for (const [name, bytes] of given) files.set(directory === "" ? name : `${directory}/${name}`, bytes);
    },
    stop: () => void server.stop(true),
  };
  return self;
}

/** Program of a version that says it is one, takes every configuration and passes every check; a release of a few hundred bytes. */
export function tinyProgram(version: string, more = ""): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`#!/bin/sh
# thormesh ${version}
${more}
case "$1" in
  --version) echo "thormesh ${version} (test)" ;;
  doctor) echo '{"ok": true, "checks": []}' ;;
esac
exit 0
`);
}

/** Lays a version down as an installer does. */
export function installVersion(prefix: string, version: string, program: Uint8Array = tinyProgram(version)): void {
  const directory = join(prefix, "versions", version);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "thormesh"), program);
  chmodSync(join(directory, "thormesh"), 0o755);
  symlinkSync(join("versions", version), join(prefix, "current"));
}
