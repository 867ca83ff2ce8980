import manifest from "./all-MiniLM-L6-v2/manifest.json" with { type: "json" };
import modelPath from "./all-MiniLM-L6-v2/model.onnx" with { type: "file" };
import tokenizerPath from "./all-MiniLM-L6-v2/tokenizer.json" with { type: "file" };

export interface EmbeddedModel {
  /** The parsed manifest.json, unchecked. */
  readonly manifest: unknown;
  /** Path of each file by its name: in the source tree, or inside the compiled executable (readable with Bun.file only). */
  readonly files: Readonly<Record<string, string>>;
}

/** Size of an embedded file by its path, as its manifest tells it: inside the executable it is compressed. Null for another file. */
export function embeddedFileBytes(path: string): number | null {
  for (const { files } of Object.values(embeddedModels))
    for (const name of ["model.onnx", "tokenizer.json"] as const)
      if (files[name] === path) return manifest.files[name].bytes;
  return null;
}

/** The embedding models that the program carries with it, by id. */
export const embeddedModels: Readonly<Record<string, EmbeddedModel>> = {
  [manifest.id]: {
    manifest,
    // TypeScript takes the import for the JSON's content; with `type: "file"` it is the path.
    files: { "model.onnx": modelPath, "tokenizer.json": tokenizerPath as unknown as string },
  },
};
