import { describe, expect, test } from "bun:test";
import { parseRelease } from "#agent/power/device/create-device.ts";
import {
  asksForReboot,
  byCapability,
  parseNvpmodelConf,
  parseNvpmodelQuery,
} from "#agent/power/device/parse-nvpmodel.ts";
import { parseNvidiaSmi, parseTegrastats } from "#agent/power/device/parse-tegrastats.ts";

const thorLine =
  "04-21-2026 15:50:52 RAM 105265/125772MB (lfb 34x4MB) CPU [0%@972,0%@972,0%@972,0%@972,0%@972,0%@972,1%@972,0%@972,0%@972,0%@972,0%@972,8%@972,0%@972,0%@972] EMC_FREQ 0%@2750 GR3D_FREQ @[314,314,314] NVENC0_FREQ @314 NVENC1_FREQ @314 NVDEC0_FREQ @314 NVDEC1_FREQ @314 NVJPG0_FREQ @314 VIC off OFA_FREQ @315 PVA0_FREQ off APE 300 cpu@37.343C tj@38.875C soc012@37.468C gpu@38.875C soc345@37.406C VDD_GPU 1962mW/1962mW VDD_CPU_SOC_MSS 5887mW/5887mW VIN_SYS_5V0 5635mW/5635mW VIN 19780mW/19780mW";
const orinLine =
  "03-09-2026 14:12:52 RAM 1905/7620MB (lfb 36x4MB) SWAP 320/12002MB (cached 20MB) CPU [0%@729,0%@729,1%@729,0%@729,0%@729,0%@729] GR3D_FREQ 0% cpu@46.125C soc2@45.843C soc0@44.156C gpu@45.062C tj@46.125C soc1@46C VDD_IN 4742mW/4742mW VDD_CPU_GPU_CV 482mW/482mW VDD_SOC 1446mW/1446mW";

describe("parseTegrastats", () => {
  test.each([
    [
      "Thor",
      thorLine,
      {
        inputPowerMw: 19_780,
        gpuUtilization: null,
        ramUsedMb: 105_265,
        ramTotalMb: 125_772,
        junctionTemperatureC: 38.875,
      },
    ],
    [
      "Orin Nano",
      orinLine,
      { inputPowerMw: 4742, gpuUtilization: 0, ramUsedMb: 1905, ramTotalMb: 7620, junctionTemperatureC: 46.125 },
    ],
    [
      "frequency beside the load",
      "RAM 1/2MB GR3D_FREQ 12%@[1300,1300] VDD_IN 5000mW/4000mW",
      { gpuUtilization: 0.12, inputPowerMw: 5000 },
    ],
    ["a locale with commas", "RAM 1/2MB VDD_IN 5139mW/5100mW tj@53,1C", { junctionTemperatureC: 53.1 }],
    ["triples", "RAM 1/2MB VDD_IN 5139mW/5100mW/5000mW", { inputPowerMw: 5139 }],
    [
      "double temperatures",
      "RAM 1/2MB cpu@52.968C/52.968C tj@53.1C/53.1C",
      { junctionTemperatureC: 53.1, inputPowerMw: null },
    ],
    ["no tj: the hottest", "RAM 1/2MB cpu@40C gpu@41.5C", { junctionTemperatureC: 41.5 }],
    [
      "an unpowered junction sensor: the hottest of the others",
      "RAM 1/2MB tj@-256C cpu@33C",
      { junctionTemperatureC: 33 },
    ],
    ["a load as JetPack 3 writes it", "RAM 1/2MB EMC 0%@40 APE 150 GR3D 12%@114", { gpuUtilization: 0.12 }],
    ["an unpowered sensor", "RAM 1/2MB gpu@-256C cpu@33C", { junctionTemperatureC: 33 }],
    [
      "an idle rail below zero is no total",
      "RAM 1/2MB VDD_GPU -392mW/0mW VDD_SOC 1000mW/1000mW",
      { inputPowerMw: 608 },
    ],
    ["the total rail, not the sum", "RAM 1/2MB VDD_GPU 100mW/100mW VIN 900mW/900mW", { inputPowerMw: 900 }],
    ["an old board with a unit", "RAM 1/2MB POM_5V_GPU 40mW/40mW POM_5V_IN 2000mW/2000mW", { inputPowerMw: 2000 }],
    ["an old board without units", "RAM 1/2MB POM_5V_IN 2045/2045 POM_5V_GPU 40/40", { inputPowerMw: 2045 }],
    [
      "a Xavier NX of an older release: a total rail without a unit, a PMIC that is not measured",
      "RAM 2047/7764MB (lfb 1x4MB) SWAP 0/3882MB (cached 0MB) CPU [3%@1190,1%@1190,off,off] EMC_FREQ 1%@1600 GR3D_FREQ 3%@114 APE 150 MTS fg 0% bg 0% AO@41.5C GPU@43C PMIC@100C AUX@42C CPU@43.5C thermal@42.6C VDD_IN 3072/3100 VDD_CPU_GPU_CV 533/520 VDD_SOC 1024/1000",
      { inputPowerMw: 3072, gpuUtilization: 0.03, ramUsedMb: 2047, junctionTemperatureC: 43.5 },
    ],
    [
      "an AGX Xavier: the sum of its rails",
      "RAM 1/2MB GPU 0/0 CPU 311/311 SOC 932/932 CV 0/0 VDDRQ 155/155 SYS5V 1361/1361 PMIC@100C Tboard@34C Tdiode@37.5C",
      { inputPowerMw: 2759, junctionTemperatureC: 37.5 },
    ],
    [
      "an AGX Orin: no total rail, the sum of the three that feed the board, not of the one that VIN_SYS_5V0 feeds",
      "11-21-2025 08:49:48 RAM 13983/62780MB (lfb 424x4MB) SWAP 126/31390MB (cached 0MB) CPU [90%@2201,100%@2201,off] EMC_FREQ 1%@2133 GR3D_FREQ 14%@[407,407] VIC_FREQ 115 NVDLA0_FREQ @1600 APE 174 CV0@73.625C CPU@77.281C Tboard@62C SOC2@70C Tdiode@62.25C SOC0@69.531C CV1@72.5C GPU@69.125C tj@77.281C SOC1@68.968C CV2@67.25C VDD_GPU_SOC 3150mW/2971mW VDD_CPU_CV 14312mW/12415mW VIN_SYS_5V0 4968mW/5048mW VDDQ_VDD2_1V8AO 1091mW/1091mW",
      { inputPowerMw: 22_430, gpuUtilization: 0.14, ramUsedMb: 13_983, junctionTemperatureC: 77.281 },
    ],
    [
      "a TX2: a total rail without a unit, among many",
      "RAM 2135/7855MB (lfb 1057x4MB) CPU [2%@2035,0%@2035] EMC_FREQ 1%@1866 GR3D_FREQ 0%@1300 APE 150 MTS fg 0% bg 0% BCPU@30C MCPU@30C GPU@29C PLL@30C Tboard@28C Tdiode@28.25C PMIC@100C thermal@29.4C VDD_IN 3104/4029 VDD_CPU 291/730 VDD_WIFI 0/180 VDD_DDR 1248/1375",
      { inputPowerMw: 3104, gpuUtilization: 0, junctionTemperatureC: 30 },
    ],
    [
      "a Nano with IRAM in kB",
      "RAM 1923/3964MB (lfb 2x2MB) SWAP 191/1982MB (cached 6MB) IRAM 0/252kB(lfb 252kB) CPU [5%@1224,4%@1224] EMC_FREQ 0%@1600 GR3D_FREQ 0%@76 APE 25 PLL@37C CPU@40C PMIC@50C GPU@40C AO@45C thermal@40C POM_5V_IN 1750/1628 POM_5V_GPU 0/0 POM_5V_CPU 366/406",
      { inputPowerMw: 1750, gpuUtilization: 0, ramUsedMb: 1923, junctionTemperatureC: 45 },
    ],
    [
      "an AGX Orin with a rail that is not connected",
      "RAM 1/2MB tj@40C VDD_GPU_SOC 2000mW/1mW VDD_CPU_CV 500mW/1mW VIN_SYS_5V0 4000mW/1mW NC 0mW/0mW VDDQ_VDD2_1V8AO 300mW/1mW",
      { inputPowerMw: 6500, rails: 5 },
    ],
    [
      "a fed rail without its feeding one",
      "RAM 1/2MB VDD_CPU 500mW/1mW VDDQ_VDD2_1V8AO 300mW/1mW",
      { inputPowerMw: 800 },
    ],
    ["cores off", "RAM 1/2MB CPU [off,off,3%@972] VIN 5mW/5mW", { inputPowerMw: 5 }],
  ])("%s", (_name, line, expected) => {
    expect(parseTegrastats(line)).toMatchObject(expected);
  });

  test("every rail, sensor and core under the board's own name", () => {
    expect(parseTegrastats(thorLine)?.details).toEqual({
      railsMw: { VDD_GPU: 1962, VDD_CPU_SOC_MSS: 5887, VIN_SYS_5V0: 5635, VIN: 19_780 },
      temperaturesC: { cpu: 37.343, tj: 38.875, soc012: 37.468, gpu: 38.875, soc345: 37.406 },
      cpuLoads: [0, 0, 0, 0, 0, 0, 0.01, 0, 0, 0, 0, 0.08, 0, 0],
    });
    const old = "RAM 1/2MB CPU [12%@1300,off,7%] PMIC@100C cv0@-256C AO@40.5C VDD_IN -392mW/1mW";
    expect(parseTegrastats(old)?.details).toEqual({
      railsMw: { VDD_IN: -392 },
      temperaturesC: { ao: 40.5 },
      cpuLoads: [0.12, null, 0.07],
    });
    expect(parseTegrastats("RAM 1/2MB")?.details).toEqual({ railsMw: {}, temperaturesC: {}, cpuLoads: [] });
  });

  test.each(["", "tegrastats: permission denied", "34x4MB) CPU [0%@972", "RAM 10"])("%p is no reading", (line) => {
    expect(parseTegrastats(line)).toBeNull();
  });
});

test.each([
  ["42, 2048\n", { gpuUtilization: 0.42, gpuMemoryUsedMb: 2048 }],
  ["0, [N/A]", { gpuUtilization: 0, gpuMemoryUsedMb: null }],
  ["[Not Supported], [Not Supported]", { gpuUtilization: null, gpuMemoryUsedMb: null }],
  ["", { gpuUtilization: null, gpuMemoryUsedMb: null }],
])("nvidia-smi %p", (output, expected) => {
  expect(parseNvidiaSmi(output)).toEqual(expected);
});

describe("parseNvpmodelConf", () => {
  test("modes in any spacing, gaps in ids, unknown blocks, comments, Windows line ends", () => {
    const conf =
      "# c\r\n< PARAM TYPE=FILE NAME=X >\r\nA /x\r\n<POWER_MODEL  ID = 0  NAME=15W>\r\nCPU 3\r\n  < POWER_MODEL NAME=MAXN_SUPER ID=7 > # top\r\n< NEW_BLOCK A=B >\r\n< PM_CONFIG DEFAULT=7 >";
    expect(parseNvpmodelConf(conf)).toEqual({
      modes: [
        { id: 0, name: "15W", gpuMaxHz: null, cores: null },
        { id: 7, name: "MAXN_SUPER", gpuMaxHz: null, cores: null },
      ],
      defaultId: 7,
    });
  });
  test.each(["", "< POWER_MODEL ID=x NAME=A >", "< POWER_MODEL ID=1 >", "POWER_MODEL ID=1 NAME=A"])(
    "%p has no modes",
    (conf) => {
      expect(parseNvpmodelConf(conf)).toEqual({ modes: [], defaultId: null });
    },
  );
  test("an id that comes twice counts once", () => {
    expect(parseNvpmodelConf("< POWER_MODEL ID=1 NAME=A >\n< POWER_MODEL ID=1 NAME=B >").modes).toEqual([
      { id: 1, name: "A", gpuMaxHz: null, cores: null },
    ]);
  });
  test("a mode's clock and cores; of other blocks and broken lines nothing is taken", () => {
    const conf =
      "< POWER_MODEL ID=0 NAME=A >\nCPU_ONLINE CORE_0 1\n CPU_ONLINE  CORE_1 0\nGPU MAX_FREQ 612000000\nCPU_A78_0 MAX_FREQ 1\nGPU MAX_FREQ\n" +
      "< POWER_MODEL ID=1 NAME=B >\nGPU MAX_FREQ -1\n< PM_CONFIG DEFAULT=1 >\nGPU MAX_FREQ 5\n";
    expect(parseNvpmodelConf(conf).modes).toEqual([
      { id: 0, name: "A", gpuMaxHz: 612_000_000, cores: 1 },
      { id: 1, name: "B", gpuMaxHz: Number.POSITIVE_INFINITY, cores: null },
    ]);
  });
});

test.each([
  ["NV Power Mode: 15W\n0\n", { id: 0, name: "15W" }],
  ["NVPM WARN: fan mode is not set!\nNVPM WARN: 3\nNV Power Mode: MAXN_SUPER\n2\n", { id: 2, name: "MAXN_SUPER" }],
  [
    "NVPM VERB: parsing done for /etc/nvpmodel.conf\nNV Fan Mode:quiet\nNVPM VERB: Current mode: NV Power Mode: MODE_15W_6CORE\n2\nNVPM VERB: PARAM CPU_ONLINE: ARG CORE_0: 1\n",
    { id: 2, name: "MODE_15W_6CORE" },
  ],
  ["NV Power Mode: 15W\n", null],
  ["0\n", null],
  ["", null],
])("nvpmodel -q %p", (output, expected) => {
  expect(parseNvpmodelQuery(output)).toEqual(expected);
});

test("a wish to reboot is recognised, and nothing else is taken for one", () => {
  expect(asksForReboot("NVPM WARN: Reboot required for changing to this power mode: 2")).toBe(true);
  expect(asksForReboot("NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:")).toBe(true);
  expect(asksForReboot("NVPM ERROR: bad input!")).toBe(false);
});

const listed = (name: string, id: number, gpuMaxHz: number | null = null, cores: number | null = null) => ({
  id,
  name,
  gpuMaxHz,
  cores,
});

test.each([
  {
    of: "an Orin Nano",
    modes: ["15W", "25W", "MAXN_SUPER", "7W", "special"].map((name, id) => listed(name, id)),
    order: ["MAXN_SUPER", "25W", "15W", "7W", "special"],
  },
  {
    of: "as many watts",
    modes: [
      listed("MODE_15W_2CORE", 0, 510, 2),
      listed("MODE_15W_6CORE", 1, 510, 6),
      listed("MODE_15W_GPU", 2, 900, 2),
    ],
    order: ["MODE_15W_GPU", "MODE_15W_6CORE", "MODE_15W_2CORE"],
  },
  {
    of: "watts that disagree with the GPU clock, one with a fraction",
    modes: [
      listed("MAXN", 0),
      listed("10W", 1, 612),
      listed("15W", 2, 612),
      listed("25W", 3, 408),
      listed("MODE_28_1_W", 4, 714),
    ],
    order: ["MAXN", "MODE_28_1_W", "25W", "15W", "10W"],
  },
  {
    of: "a name without watts takes its place by its clock and leaves the others in theirs",
    modes: [
      listed("10W", 0, 612),
      listed("QUIET", 1, 500),
      listed("25W", 2, 408),
      listed("MAXN", 3, Number.POSITIVE_INFINITY),
      listed("BARE", 4),
      listed("MODE_30W_ALL", 5, 900),
      listed("FAST", 6, 1000),
    ],
    order: ["MAXN", "FAST", "MODE_30W_ALL", "QUIET", "25W", "10W", "BARE"],
  },
  {
    of: "a clock that one mode lacks",
    modes: [listed("15W", 0, 600), listed("7W", 1), listed("25W", 2), listed("SLOW", 3, 300), listed("QUICK", 4, 700)],
    order: ["25W", "QUICK", "15W", "7W", "SLOW"],
  },
  {
    of: "names that say nothing",
    modes: [listed("QUIET", 0, 300), listed("15W", 1, 600), listed("BOOST", 2, Number.POSITIVE_INFINITY)],
    order: ["BOOST", "15W", "QUIET"],
  },
  { of: "no mode", modes: [], order: [] },
])("the most capable mode comes first: $of", ({ modes, order }) => {
  expect(byCapability(modes).map(({ name }) => name)).toEqual([...order]);
});

test.each([
  ["# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic, EABI: aarch64", "L4T 38.2.0 (JetPack 7)"],
  ["# R36 (release), REVISION: 4.3, GCID: 38968081", "L4T 36.4.3 (JetPack 6)"],
  ["# R99 (release), REVISION: 1.0", "L4T 99.1.0"],
  ["Ubuntu 24.04", null],
  ["", null],
])("/etc/nv_tegra_release %p", (text, expected) => {
  expect(parseRelease(text)).toBe(expected);
});
