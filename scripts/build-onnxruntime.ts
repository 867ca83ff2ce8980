import { join } from "node:path";
import type { BunPlugin } from "bun";
import type { BranchArchitecture } from "#platform/files/branch-filter.ts";
import { importPath } from "./build-import.ts";

const root = join(import.meta.dir, "..");

/**
 * Puts ONNX Runtime's library and its Node addon inside the executable. The package looks for the addon beside itself, which a
 * single file has not; its binding module is replaced by one that lays both files down and loads them.
 * @param compress keeps a file with its calls rewritten, compressed by zstd, and returns where
 */
export async function onnxruntimeInside(
  architecture: BranchArchitecture,
  compress: (path: string) => Promise<string>,
): Promise<BunPlugin> {
  const directory = join(root, "node_modules", "onnxruntime-node", "bin", "napi-v6", "linux", architecture);
  const names = ["libonnxruntime.so.1", "onnxruntime_binding.node"] as const;
  const content = new Bun.CryptoHasher("sha256");
  const files: { name: string; bytes: number; xxHash64: string }[] = [];
  for (const name of names) {
    const bytes = await Bun.file(join(directory, name)).bytes();
    content.update(bytes);
    files.push({ name, bytes: bytes.byteLength, xxHash64: Bun.hash.xxHash64(bytes).toString(16) });
  }
  const contentId = content.digest("hex").slice(0, 16);
  const binding = join(root, "node_modules", "onnxruntime-node", "dist", "binding.js");
  const compressed = await Promise.all(names.map((name) => compress(join(directory, name))));
  const imports = compressed.map(
    (path, i) => `import path${i} from ${importPath(binding, path)} with { type: "file" };`,
  );
  const carried = files.map(
    (file, i) => `{ ...${JSON.stringify({ ...file, branches: architecture })}, embeddedPath: path${i} }`,
  );
  const loader = join(root, "agent", "serving", "onnxruntime", "load-binding.ts");
  const contents = `
    ${imports.join("\n")}
    import { Tensor } from "onnxruntime-common";
    import { loadBinding } from ${importPath(binding, loader)};
    export const binding = loadBinding(${JSON.stringify(contentId)}, [${carried.join(", ")}]);
    const logLevelWarning = 2;
    let initialised = false;
    export function initOrt() {
      if (initialised) return;
      initialised = true;
      binding.initOrtOnce(logLevelWarning, Tensor, true);
    }
  `;
  return {
    name: "onnxruntime-inside",
    setup(build) {
      build.onLoad({ filter: /onnxruntime-node[\\/]dist[\\/]binding\.js$/ }, () => ({ contents, loader: "js" }));
    },
  };
}
