import { Database } from "bun:sqlite";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { billOfMaterials } from "#tools/licences/bill-of-materials.ts";
import { collectLicences } from "#tools/licences/collect-licences.ts";

const root = join(import.meta.dir, "..", "..");

/** Large files inside the executable that are no code of packages, by where they come from. */
const carriedFiles = [
  { path: "models/all-MiniLM-L6-v2/model.onnx", of: "all-MiniLM-L6-v2" },
  { path: "models/all-MiniLM-L6-v2/tokenizer.json", of: "all-MiniLM-L6-v2" },
  { path: "models/traffic-lstm/weights.bin", of: "traffic-lstm" },
  { path: "models/traffic-lstm/nasa_http_jul95_1min.csv", of: "traffic-lstm" },
  { path: "node_modules/highs/build/highs.wasm", of: "highs" },
  {
    path: "node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm",
    of: "@tensorflow/tfjs-backend-wasm",
  },
  {
    path: "node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
    of: "@tensorflow/tfjs-backend-wasm",
  },
  { path: "node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1", of: "ONNX Runtime" },
  { path: "node_modules/onnxruntime-node/bin/napi-v6/linux/arm64/libonnxruntime.so.1", of: "ONNX Runtime" },
] as const;

/** Returns `name@version` of the package to which a path in node_modules belongs; null for our own files. */
function packageOf(path: string): string | null {
  const at = path.lastIndexOf("node_modules/");
  const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path.slice(Math.max(at, 0)))?.[1];
  if (at < 0 || name === undefined) return null;
  const manifest = join(root, path.slice(0, at), "node_modules", name, "package.json");
  if (!existsSync(manifest)) return null;
  return `${name}@${(JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version}`;
}

/**
 * Bill of materials (CycloneDX 1.6) of a release: the packages that the bundler took in, Bun with its SQLite, ONNX Runtime, the models, and
 * every large file by its hash. Without time and serial number: the same parts make the same bill.
 * @param bundled paths of the bundler's input files, below the project's root
 * @throws Error for a bundled package without a licence
 */
export function billOfRelease(bundled: readonly string[]) {
  const taken = new Set(bundled.map(packageOf).filter((each) => each !== null));
  // Their files are carried, not bundled.
  const carried = new Set(["swagger-ui-dist", "gpt-tokenizer", "onnxruntime-node"]);
  const licences = collectLicences(root).filter(
    ({ kind, name, version }) => kind !== "package" || taken.has(`${name}@${version}`) || carried.has(name),
  );
  const known = new Set(licences.map(({ name, version }) => `${name}@${version}`));
  const missing = [...taken].filter((each) => !known.has(each));
  if (missing.length > 0) throw new Error(`bill of materials: no licence of ${missing.join(", ")}`);
  const bill = billOfMaterials(licences);
  const files = carriedFiles.map(({ path, of }) => ({
    ...{ type: "file", "bom-ref": `file:${path}`, name: path },
    hashes: [
      { alg: "SHA-256", content: new Bun.CryptoHasher("sha256").update(readFileSync(join(root, path))).digest("hex") },
    ],
    properties: [{ name: "thormesh:part-of", value: of }],
  }));
  const { version } = new Database(":memory:").query("select sqlite_version() as version").get() as { version: string };
  const sqlite = {
    type: "library",
    "bom-ref": "library:SQLite",
    name: "SQLite",
    version,
    licenses: [{ license: { name: "Public domain" } }],
    properties: [{ name: "thormesh:part-of", value: "Bun" }],
  };
  const added = [sqlite, ...files];
  return {
    ...bill,
    components: [...bill.components, ...added],
    dependencies: [
      ...bill.dependencies.map((each, index) => {
        const first = each as { ref: string; dependsOn?: (string | undefined)[] };
        return index === 0
          ? { ...first, dependsOn: [...(first.dependsOn ?? []), ...added.map((part) => part["bom-ref"])] }
          : first;
      }),
      ...added.map((part) => ({ ref: part["bom-ref"] })),
    ],
  };
}
