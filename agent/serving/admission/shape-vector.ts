/**
 * Returns a copy of a vector as the client asked for it: cut to its first `dimensions`, then scaled to length 1, the order that models made for
 * cutting expect.
 */
export function shapeVector(
  raw: Float32Array,
  wanted: { readonly dimensions?: number | null | undefined; readonly normalize: boolean },
): Float32Array {
  const vector = raw.slice(0, wanted.dimensions ?? raw.length);
  if (!wanted.normalize) return vector;
  let squares = 0;
  // By index: an iterator over a typed array takes five times as long.
  for (let i = 0; i < vector.length; i += 1) squares += (vector[i] as number) * (vector[i] as number);
  // The zero vector has no direction.
  if (squares === 0) return vector;
  const scale = 1 / Math.sqrt(squares);
  for (let i = 0; i < vector.length; i += 1) vector[i] = (vector[i] as number) * scale;
  return vector;
}
