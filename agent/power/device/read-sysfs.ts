import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PowerSample } from "./device.ts";
import { totalPowerMw } from "./total-power.ts";

/** Directories of the kernel's sensors, as in /sys and /proc. */
export interface SysfsPaths {
  readonly hwmonPath: string;
  readonly thermalPath: string;
  readonly memoryPath: string;
}

/** Chips that measure power on Jetsons. */
const powerChips = /^ina(3221|219|226|230|231|237|238)x?$/;

const textOf = (path: string) =>
  readFile(path, "utf8").then(
    (text) => text.replaceAll("\0", "").trim(),
    () => null,
  );
async function numberOf(path: string): Promise<number | null> {
  const text = await textOf(path);
  return text === null || !/^-?\d+$/.test(text) ? null : Number(text);
}
const entriesOf = (path: string): Promise<string[]> =>
  readdir(path).then(
    (names) => names.sort(),
    () => [],
  );

/** Reads the rails of one chip: power in µW where it has it, else voltage (mV) times current (mA). */
async function railsOf(chip: string): Promise<[string, number][]> {
  const names = await entriesOf(chip);
  const rails: [string, number][] = [];
  for (const name of names) {
    const power = /^power(\d+)_input$/.exec(name)?.[1];
    const current = /^curr(\d+)_input$/.exec(name)?.[1];
    const channel = power ?? current;
    if (channel === undefined) continue;
    // Chips of one channel have one label for the whole chip.
    const label =
      (await textOf(join(chip, `in${channel}_label`))) ??
      (await textOf(join(chip, `power${channel}_label`))) ??
      (power === undefined ? null : await textOf(join(chip, "label")));
    // Channels without a name, or that nothing is connected to.
    if (label === null || label === "" || label === "NC") continue;
    if (power !== undefined) {
      const microwatts = await numberOf(join(chip, name));
      if (microwatts !== null) rails.push([label, microwatts / 1000]);
      continue;
    }
    if (names.includes(`power${channel}_input`)) continue;
    const milliamperes = await numberOf(join(chip, name));
    const millivolts = await numberOf(join(chip, `in${channel}_input`));
    if (milliamperes !== null && millivolts !== null) rails.push([label, (millivolts * milliamperes) / 1000]);
  }
  return rails;
}

/** Power of each rail in mW by the board's own names, from the INA chips in hwmon; empty without one. */
export async function readRails({ hwmonPath }: Pick<SysfsPaths, "hwmonPath">): Promise<Map<string, number>> {
  const rails = new Map<string, number>();
  for (const entry of await entriesOf(hwmonPath)) {
    const chip = join(hwmonPath, entry);
    if (!powerChips.test((await textOf(join(chip, "name"))) ?? "")) continue;
    for (const [rail, milliwatts] of await railsOf(chip)) rails.set(rail, milliwatts);
  }
  return rails;
}

/** Temperatures in °C by the zones' names without "-thermal". A zone whose sensor has no power can't be read, or reads -256. */
async function readTemperatures({ thermalPath }: SysfsPaths): Promise<Map<string, number>> {
  const temperatures = new Map<string, number>();
  for (const entry of await entriesOf(thermalPath)) {
    if (!entry.startsWith("thermal_zone")) continue;
    const type = await textOf(join(thermalPath, entry, "type"));
    const thousandths = await numberOf(join(thermalPath, entry, "temp"));
    const name = type?.toLowerCase().replace(/[-_]?therm(al)?$/, "") ?? "";
    // The PMIC of older boards always reads 50 or 100 °C.
    if (name === "" || name === "pmic" || thousandths === null || thousandths <= -100_000) continue;
    temperatures.set(name, thousandths / 1000);
  }
  return temperatures;
}

/** Reads the board's sensors from the kernel's files; null without a rail. */
export async function readSysfs(paths: SysfsPaths): Promise<Omit<PowerSample, "atMs"> | null> {
  const rails = await readRails(paths);
  if (rails.size === 0) return null;
  const temperatures = await readTemperatures(paths);
  const memory = (await textOf(paths.memoryPath)) ?? "";
  const kibibytes = (name: string) => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(memory)?.[1];
    return found === undefined ? null : Number(found);
  };
  const [total, available] = [kibibytes("MemTotal"), kibibytes("MemAvailable")];
  const hottest = temperatures.size === 0 ? null : Math.max(...temperatures.values());
  return {
    inputPowerMw: totalPowerMw(rails),
    gpuUtilization: null,
    gpuMemoryUsedMb: null,
    ramUsedMb: total === null || available === null ? null : Math.round((total - available) / 1024),
    ramTotalMb: total === null ? null : Math.round(total / 1024),
    junctionTemperatureC: temperatures.get("tj") ?? hottest,
    details: {
      railsMw: Object.fromEntries(rails),
      temperaturesC: Object.fromEntries(temperatures),
      cpuLoads: [],
    },
  };
}
