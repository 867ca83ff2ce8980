import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { Script } from "node:vm";

const parameters = ["exports", "module", "require", "__filename", "__dirname"] as const;
type CommonJs = (
  exports: object,
  module: { exports: unknown },
  require: NodeJS.Require,
  filename: string,
  directory: string,
) => void;

/**
 * Evaluates a script in CommonJS that the compiled executable carries compressed, and returns what it exports. For packages that few runs need:
 * compiled ahead as all others they would be ten times as large.
 * @param path of the script, compressed by zstd, inside the executable
 * @param name of its file, for stack traces
 */
export function evaluateCarriedScript(path: string, name: string): unknown {
  const text = new TextDecoder().decode(Bun.zstdDecompressSync(readFileSync(path)));
  const script = new Script(`(function (${parameters}) {${text}\n})`, { filename: name });
  const module = { exports: {} };
  (script.runInThisContext() as CommonJs)(module.exports, module, createRequire(import.meta.url), name, dirname(name));
  return module.exports;
}
