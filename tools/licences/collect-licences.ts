import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Licence of one part of the executable. */
export interface Licence {
  readonly name: string;
  readonly version: string | null;
  readonly kind: "program" | "runtime" | "library" | "package" | "model" | "data";
  /** An SPDX expression. */
  readonly licence: string;
  /** Licence, notices and origin. */
  readonly text: string;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: unknown;
  readonly licenses?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  /** Names packages that are taken if they are there, also without a range above. */
  readonly peerDependenciesMeta?: Readonly<Record<string, unknown>>;
}

/** Packages that are never in the executable: loaded at run time if present, or types only. */
const neverInside = new Set(["@tensorflow/tfjs-node", "@types/bun", "@types/node", "bun-types", "typescript"]);

/** Packages without a licence file: their copyright by their sources, and the texts here that apply. */
const withoutText: Readonly<
  Record<string, { readonly texts: readonly ("MIT" | "Apache-2.0")[]; readonly copyright: string }>
> = {
  "@tensorflow/tfjs-backend-cpu": { texts: ["Apache-2.0"], copyright: "Copyright 2020 Google LLC" },
  "@tensorflow/tfjs-backend-wasm": { texts: ["Apache-2.0"], copyright: "Copyright 2019 Google LLC" },
  "@tensorflow/tfjs-core": { texts: ["Apache-2.0"], copyright: "Copyright 2018 Google LLC" },
  "@tensorflow/tfjs-layers": { texts: ["Apache-2.0", "MIT"], copyright: "Copyright 2018 Google LLC" },
  "@tokenizer/token": { texts: ["MIT"], copyright: "Copyright (c) 2020 Borewit" },
  "javascript-natural-sort": {
    texts: ["MIT"],
    copyright: "Author: Jim Palmer (based on chunking idea from Dave Koelle)",
  },
  "onnxruntime-common": { texts: ["MIT"], copyright: "Copyright (c) Microsoft Corporation" },
  "onnxruntime-node": { texts: ["MIT"], copyright: "Copyright (c) Microsoft Corporation" },
  seedrandom: { texts: ["MIT"], copyright: "Copyright 2019 David Bau." },
  tr46: { texts: ["MIT"], copyright: "Copyright (c) Sebastian Mayr" },
};

const saysLicence = /^(licen[cs]e|copying|unlicen[cs]e|notice|third.?party)|\.licen[cs]e\.txt$/i;

/** Reads a text without the carriage returns, form feeds and byte order marks that some files have. */
const readText = (path: string) =>
  readFileSync(path, "utf8")
    .replaceAll(/\r\n?/g, "\n")
    .replaceAll(/[^\P{C}\n\t]/gu, "")
    .trim();

const readManifest = (directory: string) =>
  JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;

/** Resolves a package from another one, in its own node_modules or the nearest above. */
function packageDirectory(name: string, from: string, root: string): string | null {
  for (let directory = from; ; directory = dirname(directory)) {
    const found = join(directory, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return found;
    if (directory === root || dirname(directory) === directory) return null;
  }
}

function nameAndVersion(directory: string): string {
  const { name, version } = readManifest(directory);
  return `${name} ${version}`;
}

/** Directories of all packages that the program is built from, without those for development. */
function packageDirectories(root: string): string[] {
  const found = new Set<string>();
  const waiting = [root];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = readManifest(directory);
    const wanted = { ...dependencies, ...optionalDependencies, ...peerDependencies, ...peerDependenciesMeta };
    for (const name of Object.keys(wanted)) {
      const other = neverInside.has(name) ? null : packageDirectory(name, directory, root);
      if (other === null || found.has(other)) continue;
      found.add(other);
      waiting.push(other);
    }
  }
  // One version may lie in several places.
  return [...new Map([...found].map((directory) => [nameAndVersion(directory), directory])).values()];
}

function spdxOf({ license, licenses }: Manifest): string {
  if (typeof license === "string") return license;
  const listed = Array.isArray(licenses) ? licenses : [license];
  const types = listed.map((each: unknown) => (each as { type?: unknown } | undefined)?.type);
  return types.filter((type) => typeof type === "string").join(" OR ") || "see text";
}

/**
 * Collects the licence texts of everything in the executable.
 * @param root directory of the sources, with node_modules
 * @throws Error naming packages without a text
 */
export function collectLicences(root: string): Licence[] {
  const read = (...parts: string[]) => readText(join(root, ...parts));
  const own = (name: string) => read("cli", "licences", "texts", name);
  const texts = { MIT: own("MIT.txt"), "Apache-2.0": read("LICENSE") };
  const missing: string[] = [];
  const packages = packageDirectories(root).map((directory): Licence => {
    const manifest = readManifest(directory);
    const files = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile() && saysLicence.test(entry.name))
      .map((entry) => readText(join(directory, entry.name)));
    const exception = withoutText[manifest.name];
    if (files.length === 0 && exception === undefined) missing.push(`${manifest.name} ${manifest.version}`);
    const parts =
      files.length > 0 || exception === undefined
        ? files
        : [exception.copyright, ...exception.texts.map((text) => texts[text])];
    const { name, version } = manifest;
    return { name, version, kind: "package", licence: spdxOf(manifest), text: [...new Set(parts)].join("\n\n") };
  });
  if (missing.length > 0)
    throw new Error(`no licence text for ${missing.join(", ")}: add one in tools/licences/collect-licences.ts`);
  const ort = packages.find(({ name }) => name === "onnxruntime-node")?.version ?? null;
  const program = readManifest(root);
  return [
    { name: "thormesh", version: program.version, kind: "program", licence: "Apache-2.0", text: texts["Apache-2.0"] },
    {
      name: "ONNX Runtime",
      version: ort,
      kind: "library",
      licence: "MIT",
      text: `Copyright (c) Microsoft Corporation\n\n${texts.MIT}\n\n${own("onnxruntime-third-party-notices.txt")}`,
    },
    {
      name: "Bun",
      version: Bun.version,
      kind: "runtime",
      licence: "MIT AND LGPL-2.0-only AND LGPL-2.1-only AND others",
      text: [
        "Copyright (c) Oven and the contributors to Bun",
        texts.MIT,
        own("bun.txt"),
        own("LGPL-2.0.txt"),
        own("LGPL-2.1.txt"),
      ].join("\n\n"),
    },
    {
      name: "all-MiniLM-L6-v2",
      version: null,
      kind: "model",
      licence: "Apache-2.0",
      text: `${read("models", "all-MiniLM-L6-v2", "NOTICE.md")}\n\n${texts["Apache-2.0"]}`,
    },
    {
      name: "traffic-lstm, and the NASA trace that it was trained on",
      version: null,
      kind: "data",
      licence: "CC-BY-4.0",
      text: read("models", "traffic-lstm", "SOURCES.md"),
    },
    ...packages.sort((a, b) => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1)),
  ];
}
