import { Type } from "@sinclair/typebox";
import { UsageError } from "#platform/errors.ts";
import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";
import type { LoadPhase } from "./plan-load.ts";

const maxRate = 100_000;
const maxStageS = 604_800;
const maxStages = 200;
const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };
const form = "stages like '10/s 30s, 10..100/s 60s, spike 300/s 10s'";

const Rate = (description: string) => Type.Number({ minimum: 0, maximum: maxRate, description });

const Stages = Type.Object(
  {
    stages: Type.Array(
      Type.Object(
        {
          name: Type.Optional(Type.String({ minLength: 1, maxLength: 16, pattern: "^[A-Za-z][\\w-]*$" })),
          rate: Rate("requests per second"),
          to: Type.Optional(Rate("requests per second at the end, approached linearly")),
          seconds: Type.Number({ minimum: 0.1, maximum: maxStageS }),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: maxStages },
    ),
  },
  { additionalProperties: false },
);

interface Stage {
  readonly name?: string;
  readonly rate: number;
  readonly to?: number;
  readonly seconds: number;
}

const stagePattern =
  /^(?:([A-Za-z][\w-]{0,15})\s+)?(\d+(?:\.\d+)?)(?:\.\.(\d+(?:\.\d+)?))?\/s\s+(\d+(?:\.\d+)?)\s*([smh])$/;

function parseStage(text: string): Stage {
  const [, name, rate, to, duration, unit = ""] = stagePattern.exec(text.trim()) ?? [];
  if (rate === undefined) throw new UsageError(`--stages: expected ${form}, got "${text.trim()}"`);
  return {
    ...(name === undefined ? {} : { name }),
    rate: Number(rate),
    ...(to === undefined ? {} : { to: Number(to) }),
    seconds: Math.round(1_000 * Number(duration) * (secondsOf[unit] ?? Number.NaN)) / 1_000,
  };
}

/** Finds what a schema can't say. */
function mistakesOf({ stages }: { readonly stages: readonly Stage[] }): string[] {
  return stages.flatMap(({ rate, to }, index) =>
    rate > 0 || (to ?? 0) > 0 ? [] : [`stages.${index}.rate: expected a rate above 0 at the start or end, got ${rate}`],
  );
}

/**
 * Reads stages from a text such as "10/s 30s, 10..100/s 60s, spike 300/s 10s", or from a YAML file.
 * @throws UsageError naming the stage that is not valid
 */
export async function readStages(textOrPath: string): Promise<LoadPhase[]> {
  const isFile = /\.(ya?ml|json)$/i.test(textOrPath);
  const input = isFile ? await readConfigFile(textOrPath) : { stages: textOrPath.split(",").map(parseStage) };
  const source = isFile ? textOrPath : "--stages";
  return parseConfig(Stages, input, source, mistakesOf).stages.map(({ name, rate, to, seconds }) => ({
    ...(name === undefined ? {} : { name }),
    durationMs: 1_000 * seconds,
    level: rate,
    ...(to === undefined ? {} : { toLevel: to }),
  }));
}
