import { expect, test } from "bun:test";
import { TracingConfig } from "#agent/serving/tracing/tracing-config.ts";
import { tracingFromEnvironment } from "#agent/serving/tracing/tracing-environment.ts";
import { overDefaults } from "#cli/run/merge-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const url = "http://collector:4318";

test.each([
  { name: "nothing", env: {}, expected: {} },
  { name: "an endpoint", env: { OTEL_EXPORTER_OTLP_ENDPOINT: url }, expected: { otlpUrl: url } },
  { name: "an empty endpoint", env: { OTEL_EXPORTER_OTLP_ENDPOINT: "" }, expected: {} },
  {
    name: "an endpoint of its own for traces",
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://other", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/v1/traces` },
    expected: { otlpUrl: `${url}/v1/traces` },
  },
  { name: "disabled", env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SDK_DISABLED: "TRUE" }, expected: {} },
  { name: "no exporter", env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_EXPORTER: "none" }, expected: {} },
  {
    name: "headers",
    env: { OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b, x = 1=2 ,nothing" },
    expected: { headers: { "api-key": "a b", x: "1=2" } },
  },
  {
    name: "a value that is not encoded",
    env: { OTEL_EXPORTER_OTLP_HEADERS: "k=100%" },
    expected: { headers: { k: "100%" } },
  },
  {
    name: "name and attributes",
    env: { OTEL_SERVICE_NAME: "edge", OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=lab" },
    expected: { serviceName: "edge", attributes: { "deployment.environment": "lab" } },
  },
  {
    name: "a ratio",
    env: { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" },
    expected: { sampleRatio: 0.25 },
  },
  { name: "always off", env: { OTEL_TRACES_SAMPLER: "always_off" }, expected: { sampleRatio: 0 } },
  { name: "always on", env: { OTEL_TRACES_SAMPLER: "parentbased_always_on" }, expected: { sampleRatio: 1 } },
  {
    name: "a ratio of nothing",
    env: { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "" },
    expected: {},
  },
  {
    name: "a ratio beyond 1",
    env: { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" },
    expected: {},
  },
  { name: "a ratio without its sampler", env: { OTEL_TRACES_SAMPLER_ARG: "0.5" }, expected: {} },
])("$name", ({ env, expected }) => {
  expect(tracingFromEnvironment(env)).toEqual(expected);
});

test("the file comes before the environment, key by key", () => {
  const environment = tracingFromEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: "env" });
  expect(overDefaults(environment, { serviceName: "file" })).toEqual({ otlpUrl: url, serviceName: "file" });
  expect(overDefaults(environment, { otlpUrl: null })).toEqual({ otlpUrl: null, serviceName: "env" });
  expect(overDefaults(environment, "no object")).toBe("no object");
  expect(overDefaults({ serving: {} }, { brokr: {}, serving: null })).toEqual({ brokr: {}, serving: null });
});

test.each([
  { otlpUrl: "collector:4318" },
  { otlpUrl: "" },
  { sampleRatio: 1.1 },
  { sampleRatio: -1 },
  { serviceName: "" },
  { url },
])("%p is no configuration", (config) => {
  expect(() => parseConfig(TracingConfig, config, "the test")).toThrow();
});
