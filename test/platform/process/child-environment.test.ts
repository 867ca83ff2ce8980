import { expect, test } from "bun:test";
import { childEnvironment } from "#platform/process/child-environment.ts";

const secrets = [
  "THORMESH_API_KEY",
  "THORMESH_API_KEY_FILE",
  "THORMESH_MQTT_PASSWORD",
  "THORMESH_MODELS_TOKEN",
  "THORMESH_PROMETHEUS_TOKEN",
  "THORMESH_PROMETHEUS_PASSWORD",
  "HF_TOKEN",
  "HUGGING_FACE_HUB_TOKEN",
  "OTEL_EXPORTER_OTLP_HEADERS",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "NVIDIA_API_KEY",
  "ORT_SOME_TOKEN",
  "XDG_SESSION_SECRET",
  "LC_PASSWORD",
  "CREDENTIALS_DIRECTORY",
  "HTTPS_PROXY",
  "NODE_OPTIONS",
  "BUN_OPTIONS",
  "BUN_BE_BUN",
  "ANYTHING_ELSE",
];
const own = {
  ...Object.fromEntries(secrets.map((name) => [name, "s3cr3t"])),
  PATH: "/bin",
  HOME: "/root",
  LC_ALL: "de_DE.UTF-8",
  TZ: "UTC",
  XDG_CACHE_HOME: "/c",
  THORMESH_CACHE_DIR: "/d",
  ORT_DISABLE_TELEMETRY: "0",
  ORT_TENSORRT_FP16_ENABLE: "1",
  CUDA_VISIBLE_DEVICES: "0",
  LD_LIBRARY_PATH: "/l",
  CACHE_DIRECTORY: "/cd",
  QEMU_LD_PREFIX: "/arm",
  UNSET: undefined,
};

test.each(["command", "worker", "service"] as const)("a %s gets no secret of its parent's", (kind) => {
  const environment = childEnvironment(kind, { GIVEN: "1" }, own);
  expect(JSON.stringify(environment)).not.toContain("s3cr3t");
  expect(environment).toMatchObject({ PATH: "/bin", HOME: "/root", LC_ALL: "de_DE.UTF-8", TZ: "UTC", GIVEN: "1" });
  for (const name of [
    "THORMESH_CACHE_DIR",
    "ORT_DISABLE_TELEMETRY",
    "CUDA_VISIBLE_DEVICES",
    "CACHE_DIRECTORY",
    "QEMU_LD_PREFIX",
  ])
    expect(name in environment).toBe(kind !== "command");
});

test("what is given comes first", () => {
  expect(childEnvironment("command", { LC_ALL: "C" }, own)["LC_ALL"]).toBe("C");
});
