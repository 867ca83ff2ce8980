/** Writes an image of one machine: bun write-image.ts OUT amd64|arm64 LIBRARIES EXECUTABLE. For scripts/test-release. */
import { buildImage } from "./build-image.ts";
import { listFiles } from "./list-files.ts";

const [out = "", machine, libraries = "", executable = ""] = process.argv.slice(2);
const architecture = (["amd64", "arm64"] as const).find((each) => each === machine);
if (architecture === undefined) throw new Error(`expected amd64 or arm64, got ${machine}`);
const image = { architecture, libraries: listFiles(libraries), executable: await Bun.file(executable).bytes() };
await Bun.write(out, buildImage([image], { version: "test", atS: 0, revision: "test" }));
