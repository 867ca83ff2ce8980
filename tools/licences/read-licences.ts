import { fileURLToPath } from "node:url";
import { collectLicences, type Licence } from "./collect-licences.ts";
import { licencesPath } from "./licences-inside.ts";
import { unpackLicences } from "./pack-licences.ts";

/** Reads the licences of everything in the executable, or of what the sources are built with. */
export async function readLicences(): Promise<Licence[]> {
  if (licencesPath === null) return collectLicences(fileURLToPath(new URL("../..", import.meta.url)));
  return unpackLicences(await Bun.file(licencesPath).bytes());
}
