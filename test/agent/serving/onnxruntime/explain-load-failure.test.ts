import { expect, test } from "bun:test";
import { explainLoadFailure } from "#agent/serving/onnxruntime/explain-load-failure.ts";

test.each([
  ["a disk that is mounted noexec", "/c/a.node: failed to map segment from shared object", "not mounted noexec"],
  ["a full disk", "/c: ENOSPC: no space left on device, write", "free some space"],
  ["an old glibc", "/c/l.so: /lib/libm.so.6: version `GLIBC_2.28' not found", "glibc 2.28 or newer"],
  ["no C++ library", "libstdc++.so.6: cannot open shared object file", "install libstdc++6"],
  ["a directory that is read-only", "/c: EROFS: read-only file system, mkdir '/c'", "to a writable directory"],
])("%s", (_, failure, remedy) => {
  const text = explainLoadFailure([failure]);
  expect(text).toContain(remedy);
  expect(text).toStartWith("ONNX Runtime can't be loaded; ");
  expect(text).toEndWith(`. Tried ${failure}`);
});
