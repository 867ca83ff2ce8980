import type { TracingConfig } from "./tracing-config.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads "key1=value1,key2=value2", percent-encoded, as in OpenTelemetry's variables; other parts are left out. */
function readPairs(text: string | undefined): Record<string, string> | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const pairs: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) continue;
    try {
      pairs[decodeURIComponent(name)] = decodeURIComponent(value);
    } catch {
      pairs[name] = value;
    }
  }
  return pairs;
}

function readRatio({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument }: Environment) {
  if (sampler?.endsWith("always_off") === true) return 0;
  if (sampler?.endsWith("always_on") === true) return 1;
  if (sampler?.endsWith("traceidratio") !== true || argument === undefined || argument.trim() === "") return undefined;
  const ratio = Number(argument);
  return ratio >= 0 && ratio <= 1 ? ratio : undefined;
}

/** Reads configuration from OpenTelemetry's standard variables; the configuration file overrides it. */
export function tracingFromEnvironment(env: Environment): Partial<TracingConfig> {
  const endpoint = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] || env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  const exporter = env["OTEL_TRACES_EXPORTER"]?.trim().toLowerCase();
  const off = env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || exporter === "none";
  const sampleRatio = readRatio(env);
  const headers = readPairs(env["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] || env["OTEL_EXPORTER_OTLP_HEADERS"]);
  const serviceName = env["OTEL_SERVICE_NAME"];
  const attributes = readPairs(env["OTEL_RESOURCE_ATTRIBUTES"]);
  return {
    ...(endpoint === undefined || endpoint === "" || off ? {} : { otlpUrl: endpoint }),
    ...(sampleRatio === undefined ? {} : { sampleRatio }),
    ...(headers === undefined ? {} : { headers }),
    ...(serviceName === undefined || serviceName === "" ? {} : { serviceName }),
    ...(attributes === undefined ? {} : { attributes }),
  };
}
