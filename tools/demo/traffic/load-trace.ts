import { parseTrace } from "#forecast/data/parse-trace.ts";
import { UsageError } from "#platform/errors.ts";
import nasaPath from "../../../models/traffic-lstm/nasa_http_jul95_1min.csv" with { type: "file" };
import { cutIntoMinutes, type Trace } from "./trace.ts";

/**
 * Loads the trace in `file`, by default the built-in one.
 * @throws UsageError when the file can't be read or is not a trace.
 */
export async function loadTrace(file: string | undefined): Promise<{ readonly name: string; readonly trace: Trace }> {
  if (file === undefined) {
    const name = "NASA Kennedy web server, July 1995";
    return { name, trace: cutIntoMinutes(parseTrace(await Bun.file(nasaPath).text(), name)) };
  }
  let csv: string;
  try {
    csv = await Bun.file(file).text();
  } catch (cause) {
    throw new UsageError(`--trace: ${file} can't be read`, { cause });
  }
  return { name: file, trace: cutIntoMinutes(parseTrace(csv, file)) };
}
