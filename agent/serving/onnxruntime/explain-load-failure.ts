const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /failed to map segment|Operation not permitted|EPERM/,
    "set THORMESH_CACHE_DIR to a directory on a disk from which programs may run (not mounted noexec)",
  ],
  [/ENOSPC|No space left/i, "free some space, or set THORMESH_CACHE_DIR to a directory on a larger disk"],
  [/GLIBC_[\d.]+.* not found/, "expected glibc 2.28 or newer: upgrade the system"],
  [/GLIBCXX_|libstdc\+\+|libgcc_s/, "install libstdc++6 and libgcc-s1"],
];

/** Sentence on an ONNX Runtime that could not be loaded from any directory, with what helps. @param failures reason for each directory */
export function explainLoadFailure(failures: readonly string[]): string {
  const all = failures.join("; ");
  const remedy = remedies.find(([pattern]) => pattern.test(all))?.[1];
  return `ONNX Runtime can't be loaded; ${remedy ?? "set THORMESH_CACHE_DIR to a writable directory"}. Tried ${all}`;
}
