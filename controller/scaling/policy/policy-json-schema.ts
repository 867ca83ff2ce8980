import { ScalingPolicy } from "./scaling-policy.ts";

/** The schema as those see it who write a file: what has a default need not be given. */
function withoutDefaulted(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutDefaulted);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) copy[key] = key === "default" ? value : withoutDefaulted(value);
  const { required, properties } = schema as { required?: unknown; properties?: Record<string, object> };
  if (Array.isArray(required) && properties !== undefined) {
    copy["required"] = required.filter((name) => !("default" in (properties[name] ?? {})));
  }
  return copy;
}

/** JSON Schema of a policy file, for editors and checks elsewhere. */
export function policyJsonSchema(): object {
  const schema = withoutDefaulted(ScalingPolicy) as object;
  return { $schema: "https://json-schema.org/draft/2020-12/schema", title: "ScalingPolicy", ...schema };
}
