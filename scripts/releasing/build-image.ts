import { packTar, type TarEntry } from "./tar.ts";

/** Images of the Open Container Initiative, written as a layout that skopeo, podman and umoci read, in one archive. */

export interface ImageFacts {
  readonly version: string;
  /** Time of the release, in seconds since 1970. */
  readonly atS: number;
  readonly revision: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

/** User and group that the program runs as: nobody of the machine. */
const userId = 65532;

const digestOf = (bytes: Uint8Array) => `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;

/** Files beside the program: who it runs as, and where it may write. */
const rootFiles: readonly TarEntry[] = [
  {
    path: "etc/passwd",
    kind: "file",
    mode: 0o644,
    content: `root:x:0:0:root:/:/nologin\nthormesh:x:${userId}:${userId}::/var/lib/thormesh:/nologin\n`,
  },
  { path: "etc/group", kind: "file", mode: 0o644, content: `root:x:0:\nthormesh:x:${userId}:\n` },
  { path: "etc/nsswitch.conf", kind: "file", mode: 0o644, content: "hosts: files dns\n" },
  { path: "tmp", kind: "directory", mode: 0o1777 },
  { path: "var/lib/thormesh", kind: "directory", mode: 0o700, owner: userId },
  { path: "var/cache/thormesh", kind: "directory", mode: 0o700, owner: userId },
];

/** Blobs of an image by their digest, and the index that names them. */
class ImageBlobs {
  readonly blobs = new Map<string, Uint8Array>();

  add(mediaType: string, bytes: Uint8Array): Descriptor {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength };
  }

  addJson(mediaType: string, value: unknown): Descriptor {
    return this.add(mediaType, new TextEncoder().encode(JSON.stringify(value)));
  }

  /** Adds the image of one machine: a layer of Debian's libraries, and one of the program. */
  addImage(architecture: "amd64" | "arm64", libraries: readonly TarEntry[], executable: Uint8Array, facts: ImageFacts) {
    const program: TarEntry = { path: "usr/bin/thormesh", kind: "file", mode: 0o755, content: executable };
    const tars = [packTar([...rootFiles, ...libraries], facts.atS), packTar([program], facts.atS)];
    const layers = tars.map((tar) => this.add(mediaTypes.layer, Bun.gzipSync(tar, { level: 6 })));
    const created = new Date(facts.atS * 1000).toISOString().replace(".000Z", "Z");
    const config = this.addJson(mediaTypes.config, {
      ...{ created, architecture, os: "linux" },
      config: {
        User: `${userId}:${userId}`,
        Entrypoint: ["/usr/bin/thormesh"],
        Cmd: ["agent"],
        Env: [
          "PATH=/usr/bin",
          "HOME=/var/lib/thormesh",
          "STATE_DIRECTORY=/var/lib/thormesh",
          "CACHE_DIRECTORY=/var/cache/thormesh",
        ],
        WorkingDir: "/var/lib/thormesh",
        StopSignal: "SIGTERM",
        Labels: {
          "org.opencontainers.image.title": "thormesh",
          "org.opencontainers.image.version": facts.version,
          "org.opencontainers.image.revision": facts.revision,
          "org.opencontainers.image.licenses": "Apache-2.0",
        },
      },
      rootfs: { type: "layers", diff_ids: tars.map(digestOf) },
      history: [
        { created, created_by: "libraries of Debian 12" },
        { created, created_by: "thormesh" },
      ],
    });
    const manifest = this.addJson(mediaTypes.manifest, {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config,
      layers,
    });
    return { ...manifest, platform: { architecture, os: "linux" } };
  }
}

/** Makes an image for each machine, and one archive of all: the same from the same files. */
export function buildImage(
  machines: readonly {
    readonly architecture: "amd64" | "arm64";
    readonly libraries: readonly TarEntry[];
    readonly executable: Uint8Array;
  }[],
  facts: ImageFacts,
): Uint8Array<ArrayBuffer> {
  const blobs = new ImageBlobs();
  const images = machines.map(({ architecture, libraries, executable }) =>
    blobs.addImage(architecture, libraries, executable, facts),
  );
  const all = blobs.addJson(mediaTypes.index, { schemaVersion: 2, mediaType: mediaTypes.index, manifests: images });
  const index = {
    ...{ schemaVersion: 2, mediaType: mediaTypes.index },
    manifests: [{ ...all, annotations: { "org.opencontainers.image.ref.name": facts.version } }],
  };
  const file = (path: string, content: string | Uint8Array): TarEntry => ({ path, kind: "file", mode: 0o644, content });
  return packTar(
    [
      file("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })),
      file("index.json", JSON.stringify(index)),
      ...[...blobs.blobs].map(([digest, bytes]) => file(`blobs/sha256/${digest.slice("sha256:".length)}`, bytes)),
    ],
    facts.atS,
  );
}
