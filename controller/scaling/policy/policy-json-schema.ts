import { schemaOfInput } from "#platform/schema-of-input.ts";
import { ScalingPolicy } from "./scaling-policy.ts";

/** JSON Schema of a policy file, for editors and checks elsewhere. */
export function policyJsonSchema(): object {
  const schema = schemaOfInput(ScalingPolicy) as object;
  return { $schema: "https://json-schema.org/draft/2020-12/schema", title: "ScalingPolicy", ...schema };
}
