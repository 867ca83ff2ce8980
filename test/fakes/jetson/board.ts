import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JetsonConfig } from "#agent/power/power-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const thorConf = `# a Jetson Thor
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< PARAM TYPE=CLOCK NAME=GPU_POWER_CONTROL >
< POWER_MODEL ID=0 NAME=MAXN >
GPU MAX_FREQ -1
< POWER_MODEL ID=1 NAME=120W >
GPU MAX_FREQ 1386000000
< POWER_MODEL ID=2 NAME=90W >
< POWER_MODEL ID=3 NAME=70W >
< PM_CONFIG DEFAULT=1 >
< FAN_CONFIG DEFAULT=quiet >
`;

/** Creates a board of stand-in executables with its own state. */
export function createFakeBoard(conf: string = thorConf) {
  const state = mkdtempSync(join(tmpdir(), "thormesh-board-"));
  const write = (name: string, content: string) => writeFileSync(join(state, name), content);
  const read = (name: string) => {
    try {
      return readFileSync(join(state, name), "utf8");
    } catch {
      return "";
    }
  };
  write("nvpmodel.conf", conf);
  write("model", "NVIDIA Jetson AGX Thor Developer Kit\0");
  write(
    "release",
    "# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic, EABI: aarch64, DATE: Fri Aug 22 00:55:42 UTC 2025\n",
  );
  write("mode", "1");
  const command = (name: string) => ["env", `JETSON_STATE=${state}`, join(import.meta.dir, name)];
  const config: JetsonConfig = parseConfig(
    JetsonConfig,
    {
      nvpmodel: command("nvpmodel"),
      nvpmodelSet: command("nvpmodel"),
      tegrastats: command("tegrastats"),
      nvidiaSmi: command("nvidia-smi"),
      confPath: join(state, "nvpmodel.conf"),
      modelPath: join(state, "model"),
      releasePath: join(state, "release"),
      commandTimeoutMs: 60_000,
    },
    "fake board",
  );
  return {
    directory: state,
    config,
    write,
    read,
    behave: (behaviour: "fail" | "hang" | "lie" | "query-fails" | "warn" | "") => write("behaviour", behaviour),
    /** Returns a tool as a single file, for programs started with an empty environment. */
    executable(name: string): string {
      const path = join(state, `${name}-executable`);
      writeFileSync(path, `#!/bin/sh\nJETSON_STATE=${state} exec ${join(import.meta.dir, name)} "$@"\n`, {
        mode: 0o755,
      });
      return path;
    },
    calls: () => read("calls").trim().split("\n"),
    dispose: () => rmSync(state, { recursive: true, force: true }),
  };
}
