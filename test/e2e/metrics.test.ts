import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { version } from "#platform/version.ts";
import { type MetricFamily, parseMetrics } from "#tools/verify/parse-metrics.ts";
import { lintMetrics, withSamples } from "../agent/serving/lint-metrics.ts";
import { dashboards, expressionsOf, metricNames, rulesOf } from "../deploy/prometheus-files.ts";
import { type Program, startProgram, temporaryDirectory } from "./program.ts";

const directory = temporaryDirectory();
let agent: Program;
let url: string;
let families: Map<string, MetricFamily>;
const model = "all-MiniLM-L6-v2";

beforeAll(async () => {
  agent = startProgram(
    ["agent", "--listen", "127.0.0.1:0", "--grpc", "off", "--board", "none", "--broker", "mqtt://127.0.0.1:1"].concat(
      "--state-dir",
      directory.path,
    ),
    directory.path,
  );
  url = JSON.parse(await agent.untilLogged('"agent started"')).url;
  const post = async (body: unknown) => {
    const response = await fetch(`${url}/api/v1/embed`, { method: "POST", body: JSON.stringify(body) });
    await response.arrayBuffer();
    return response.status;
  };
  expect(await post({ inputs: ["a robot", "a much longer text about a robot that lost its way"] })).toBe(200);
  expect(await post({ inputs: ["a robot"] })).toBe(200);
  expect(await post({ inputs: [] })).toBe(400);
  expect(await post({ model: "no-such", inputs: ["a"] })).toBe(404);
  const scraped = await fetch(`${url}/metrics`);
  expect(scraped.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  families = parseMetrics(await scraped.text());
});

afterAll(async () => {
  await agent.stop();
  directory.remove();
});

const metricValue = (name: string, labels: Record<string, string> = {}) =>
  [...families.values()]
    .flatMap(({ samples }) => samples)
    .find((sample) => sample.name === name && Bun.deepEquals(sample.labels, labels))?.value;

describe("a running agent's metrics", () => {
  test.each([
    { name: "akidb_embed_requests_total", type: "counter", labels: ["model", "status"] },
    { name: "akidb_embed_latency_seconds", type: "histogram", labels: ["model"] },
    { name: "akidb_model_cache_hits_total", type: "counter", labels: ["model"] },
    { name: "akidb_model_cache_misses_total", type: "counter", labels: ["model"] },
    { name: "akidb_model_cache_size", type: "gauge", labels: [] },
    { name: "akidb_model_load_seconds", type: "histogram", labels: ["model"] },
    { name: "akidb_batch_size", type: "histogram", labels: ["model"] },
    { name: "akidb_tokens_processed_total", type: "counter", labels: ["model"] },
    { name: "akidb_embedding_queue_depth", type: "gauge", labels: [] },
    { name: "akidb_embedding_queue_wait_seconds", type: "histogram", labels: [] },
    { name: "akidb_batch_tokens_total", type: "counter", labels: ["kind"] },
    { name: "akidb_padding_waste_ratio", type: "gauge", labels: [] },
    { name: "akidb_worker_restarts_total", type: "counter", labels: ["model"] },
    { name: "akidb_execution_provider_info", type: "gauge", labels: ["model", "provider"] },
    { name: "akidb_tensorrt_engine_builds_total", type: "counter", labels: [] },
    { name: "akidb_tensorrt_engine_cache_hits_total", type: "counter", labels: [] },
    { name: "process_resident_memory_bytes", type: "gauge", labels: [] },
    { name: "process_cpu_seconds_total", type: "counter", labels: [] },
  ])("$name is a $type with the labels $labels", ({ name, type, labels }) => {
    const family = families.get(name);
    expect(family).toMatchObject({ type, help: expect.stringMatching(/\S/) });
    expect(family?.samples.length).toBeGreaterThan(0);
    for (const sample of family?.samples ?? [])
      expect(Object.keys(sample.labels).filter((label) => label !== "le")).toEqual([...labels]);
  });

  test.each(["akidb_gpu_memory_used_bytes", "akidb_gpu_utilization_percent"])("%s is announced, GPU or not", (name) => {
    expect(families.get(name)).toMatchObject({ type: "gauge" });
  });

  test("the latency's buckets go from 5 ms to 1 s", () => {
    const buckets = families
      .get("akidb_embed_latency_seconds")
      ?.samples.filter(({ name }) => name.endsWith("_bucket"))
      .map(({ labels }) => labels["le"]);
    expect(buckets?.[0]).toBe("0.005");
    expect(buckets?.slice(-2)).toEqual(["1", "+Inf"]);
    expect(buckets).toEqual(expect.arrayContaining(["0.01", "0.025", "0.03", "0.05", "0.1", "0.25", "0.5"]));
  });

  test("count what was asked for", () => {
    expect(metricValue("akidb_embed_requests_total", { model, status: "success" })).toBe(2);
    expect(metricValue("akidb_embed_requests_total", { model: "unknown", status: "invalid" })).toBe(1);
    expect(metricValue("akidb_embed_latency_seconds_count", { model })).toBe(2);
    expect(metricValue("akidb_model_cache_size")).toBe(1);
    expect(metricValue("akidb_model_load_seconds_count", { model })).toBe(1);
    expect(metricValue("akidb_worker_restarts_total", { model })).toBe(0);
    expect(metricValue("akidb_embedding_queue_depth")).toBe(0);
    // Two texts were computed, the third came from the cache: no batch, no wait.
    expect(metricValue("akidb_batch_size_sum", { model })).toBe(2);
    expect(metricValue("akidb_embedding_queue_wait_seconds_count")).toBe(2);
    const text = metricValue("akidb_batch_tokens_total", { kind: "text" }) ?? 0;
    const padding = metricValue("akidb_batch_tokens_total", { kind: "padding" }) ?? 0;
    const repeated = 4;
    expect(metricValue("akidb_tokens_processed_total", { model })).toBe(text + repeated);
    expect(metricValue("akidb_padding_waste_ratio")).toBeCloseTo(padding / (text + padding), 9);
  });
});

describe("names that Prometheus takes without remark", () => {
  let controller: Program;
  const texts = new Map<string, string>();

  beforeAll(async () => {
    const options = ["--listen", "127.0.0.1:0", "--broker-port", "0", "--state-dir", `${directory.path}/controller`];
    controller = startProgram(["controller", ...options], directory.path);
    const started = JSON.parse(await controller.untilLogged("controller started")) as { url: string };
    for (const [program, address] of [
      ["agent", url],
      ["controller", started.url],
    ] as const)
      texts.set(program, await (await fetch(`${address}/metrics`)).text());
  });
  afterAll(() => controller.stop());

  test("each metric that a rule or a panel of deploy names is there, or recorded by a rule", () => {
    const shown = new Set(rulesOf().flatMap(({ record }) => record ?? []));
    for (const text of texts.values()) {
      for (const [name, { type }] of parseMetrics(text)) {
        shown.add(name);
        if (type === "histogram") for (const part of ["bucket", "sum", "count"]) shown.add(`${name}_${part}`);
      }
    }
    shown.add("up"); // Prometheus' own
    const expressions = [...rulesOf().map(({ expr }) => expr), ...dashboards().flatMap(expressionsOf)];
    const named = new Set(expressions.flatMap(metricNames));
    expect(named.size).toBeGreaterThan(60);
    expect([...named].filter((name) => !shown.has(name))).toEqual([]);
  });

  describe.each(["agent", "controller"])("%s", (program) => {
    test("all metrics, with and without samples, by this project's own rules", () => {
      const read = parseMetrics(texts.get(program) ?? "");
      expect(read.size).toBeGreaterThan(20);
      expect(lintMetrics(read)).toEqual([]);
    });

    test.if(Bun.which("promtool") !== null)("by promtool's", () => {
      const text = texts.get(program) ?? "";
      const stdin = new TextEncoder().encode(withSamples(text, parseMetrics(text)));
      const checked = Bun.spawnSync(["promtool", "check", "metrics"], { stdin });
      expect([checked.stderr.toString(), checked.stdout.toString(), checked.exitCode]).toEqual(["", "", 0]);
    });

    test("which build it is, and nothing of a runtime that is not there", () => {
      const read = parseMetrics(texts.get(program) ?? "");
      const info = read.get("thormesh_build_info")?.samples;
      expect(info).toMatchObject([{ labels: { version, program, target: `linux-${process.arch}` }, value: 1 }]);
      expect([...read.keys()].filter((name) => /^(nodejs|go|python|jvm)_/.test(name))).toEqual([]);
      for (const name of ["start_time_seconds", "resident_memory_bytes", "open_fds", "max_fds", "cpu_seconds_total"])
        expect(read.get(`process_${name}`)?.samples[0]?.value).toBeGreaterThan(0);
    });
  });

  test.each([
    ["x_total", "gauge"],
    ["x", "counter"],
    ["x_minutes", "gauge"],
    ["x_milliseconds", "gauge"],
    ["x_ms", "gauge"],
    ["xY", "gauge"],
    ["x_count", "gauge"],
  ])("the rules refuse %s as a %s", (name, type) => {
    expect(lintMetrics(new Map([[name, { type, help: "h", samples: [] }]]))).toHaveLength(1);
  });
});

test.each([
  { name: "a sample without a TYPE line", text: "x 1\n" },
  { name: "a series twice", text: "# HELP x y\n# TYPE x gauge\nx 1\nx 2\n" },
  { name: "no number", text: "# HELP x y\n# TYPE x gauge\nx one\n" },
  { name: "no end", text: "# HELP x y\n# TYPE x gauge\nx 1" },
  {
    name: "buckets that fall",
    text: '# HELP x y\n# TYPE x histogram\nx_bucket{le="1"} 2\nx_bucket{le="+Inf"} 1\nx_sum 1\nx_count 1\n',
  },
])("the parser that judges refuses $name", ({ text }) => {
  expect(() => parseMetrics(text)).toThrow();
});
