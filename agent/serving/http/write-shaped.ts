import type { EmbedResult } from "#agent/serving/admission/embedder.ts";
import { shapeVector } from "#agent/serving/admission/shape-vector.ts";
import { WrittenVectors } from "#agent/serving/admission/written-vectors.ts";
import { writeVectorBase64, writeVectorJson } from "./write-vector.ts";

const written = new WrittenVectors(4 * 1024 * 1024);

/** Creates the function that writes each vector of a result as its client asked for it, as JSON. */
export function shapedWriter(
  { vectors, cachedTexts }: Pick<EmbedResult, "vectors" | "cachedTexts">,
  shape: Parameters<typeof shapeVector>[1],
  format: "float" | "base64" = "float",
): (vector: Float32Array) => string {
  const write = (raw: Float32Array) => {
    const vector = shapeVector(raw, shape);
    return format === "base64" ? `"${writeVectorBase64(vector)}"` : writeVectorJson(vector);
  };
  // Others are new objects each time, or asked for only once.
  if (cachedTexts !== vectors.length) return write;
  const form = `${format} ${shape.normalize} ${shape.dimensions ?? ""}`;
  return (raw) => written.get(raw, form, write);
}
