import { describe, expect, test } from "bun:test";
import { type TSchema, Type } from "@sinclair/typebox";
import { cleanText, cleanTexts } from "#protocol/clean-text.ts";
import { decodeMessage, encodeFitted, encodeMessage } from "#protocol/codec.ts";
import { fitToBounds } from "#protocol/fit-to-bounds.ts";
import {
  Birth,
  Command,
  CommandResult,
  ControllerState,
  Desired,
  MinuteData,
  Presence,
  Reported,
} from "#protocol/messages.ts";
import { aBirth, aCommandResult, aDesired, aForecast, aMinute, aPresence, aReported } from "../fakes/builders.ts";
import { cpuMsOf } from "../fakes/cpu-time.ts";

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const fullMinute = aMinute({
  forecast: aForecast(1, { qps90: [1, 2], qps95: [2, 3], peakQps: { q50: 1, q90: 2, q95: 3 }, shares: { lstm: 1 } }),
  forecastAccuracy: {
    windowMs: 86_400_000,
    forecasts: 3,
    wapePercent: 5,
    biasPercent: -1,
    peakWapePercent: null,
    coverage95: 0.9,
    rises: 1,
    hits: 1,
    misses: 0,
    falseAlarms: 0,
    hitRate: 1,
    missRate: 0,
    falseAlarmRate: null,
    medianLeadMinutes: 3,
    served: { lstm: 3 },
  },
});
const [model] = fullMinute.traffic.models;
if (model !== undefined) model.tenants = [{ tenant: "a", requests: 1, texts: 1, tokens: 1, computeMs: 1 }];
if (fullMinute.power !== null) {
  fullMinute.power.idleJ = 600;
  fullMinute.power.activeJ = 1200;
  fullMinute.power.models = [{ model: "mini", energyJ: 1200, tenants: [{ tenant: "a", energyJ: 1200 }] }];
}

/** A message of each kind with every optional field. */
const samples: [string, TSchema, unknown][] = [
  ["presence", Presence, aPresence({ asleep: { mac: "00:11:22:33:44:55" } })],
  ["birth", Birth, aBirth({ tags: { rack: "7" } })],
  ["data", MinuteData, fullMinute],
  [
    "desired",
    Desired,
    aDesired({ powerModeCap: "70W", powerModeCapUntilMs: 5, powerModeUntilMs: 5, powerMode: "70W" }),
  ],
  ["reported", Reported, aReported({ differs: [{ field: "role", desired: "a", reported: "b", reason: "c" }] })],
  ["cmd", Command, { v: 1, id: "c", agentId: "thor-1", kind: "drain", issuedAtMs: 1, expiresAtMs: 2 }],
  ["cmd-result", CommandResult, aCommandResult({ state: "failed", reason: "no" })],
  [
    "controller/state",
    ControllerState,
    { v: 1, status: "online", instanceId: "c", version: "1", sentAtMs: 1, sinceMs: 1 },
  ],
];

type Path = readonly (string | number)[];

/** Every field of a value with what is in it, nested ones too. */
function* fieldsOf(value: unknown, path: Path = []): Generator<{ path: Path; inner: unknown }> {
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(name) : name];
    yield { path: at, inner };
    yield* fieldsOf(inner, at);
  }
}

function withField(value: unknown, [first, ...rest]: Path, field: unknown): unknown {
  if (first === undefined) return field;
  if (Array.isArray(value)) return value.map((each, index) => (index === first ? withField(each, rest, field) : each));
  const object = value as Record<string, unknown>;
  return { ...object, [first]: withField(object[first], rest, field) };
}

describe.each(samples)("every field of %s", (_name, schema, sample) => {
  const accepted = (path: Path, field: unknown) => decodeMessage(schema, bytes(withField(sample, path, field))).ok;

  test("the sample itself is taken", () => {
    expect(decodeMessage(schema, bytes(sample))).toEqual({ ok: true, message: sample });
  });

  test("absurd numbers are refused", () => {
    for (const { path, inner } of fieldsOf(sample)) {
      if (typeof inner !== "number") continue;
      for (const absurd of [1e300, 1.7e308, -1e300, Number.MAX_SAFE_INTEGER, 253_402_300_799_000]) {
        expect({ path, absurd, accepted: accepted(path, absurd) }).toEqual({ path, absurd, accepted: false });
      }
    }
  });

  test("texts without end are refused", () => {
    for (const { path, inner } of fieldsOf(sample)) {
      if (typeof inner !== "string") continue;
      expect({ path, accepted: accepted(path, "x".repeat(2000)) }).toEqual({ path, accepted: false });
    }
  });

  test("lists and named values without end are refused", () => {
    for (const { path, inner } of fieldsOf(sample)) {
      if (Array.isArray(inner)) {
        const many = new Array(1025).fill(inner[0] ?? "x");
        expect({ path, accepted: accepted(path, many) }).toEqual({ path, accepted: false });
      }
    }
  });

  test("no text that is taken acts on a terminal or a log", () => {
    for (const { path, inner } of fieldsOf(sample)) {
      if (typeof inner !== "string") continue;
      for (const evil of ["\u001b[2J", "a\r\nb", "\u009b1m", "\u202egnp", "\u2028", "\ud800", "\u0000"]) {
        const decoded = decodeMessage(schema, bytes(withField(sample, path, evil)));
        if (!decoded.ok) continue;
        const shown = JSON.stringify(decoded.message);
        expect(shown).not.toMatch(/[\u007f-\u009f\u2028-\u202e]|\\[bfnrtu]/);
      }
    }
  });

  test("what a device says too loud is fitted into its bounds and sent", () => {
    for (const { path, inner } of fieldsOf(sample)) {
      const tooLoud = typeof inner === "number" ? [1e300, -1e300, Number.NaN, Number.POSITIVE_INFINITY] : [];
      for (const value of tooLoud) {
        // Of a version of the protocol there is one only.
        if (path.at(-1) === "v") continue;
        const reasons: string[] = [];
        const json = encodeFitted(schema, withField(sample, path, value) as never, (reason) => reasons.push(reason));
        expect(decodeMessage(schema, bytes(json)).ok).toBe(true);
        expect(reasons).toHaveLength(1);
      }
    }
  });
});

test.each<[string, TSchema, unknown, unknown]>([
  ["NaN without a lower bound", Type.Number(), Number.NaN, 0],
  ["NaN with one", Type.Number({ minimum: 3 }), Number.NaN, 3],
  ["NaN that may be null", Type.Union([Type.Number(), Type.Null()]), Number.NaN, null],
  ["a list that may be null", Type.Union([Type.Array(Type.Integer({ maximum: 1 })), Type.Null()]), [2], [1]],
  ["a list without a bound", Type.Array(Type.Integer({ maximum: 1 })), [2, 0], [1, 0]],
  ["a list with one", Type.Array(Type.Integer(), { maxItems: 1 }), [2, 0], [2]],
  ["a field of no schema", Type.Object({ a: Type.Integer({ maximum: 1 }) }), { a: 2, b: 9 }, { a: 1, b: 9 }],
  ["a field that objects inherit", Type.Object({}), { toString: 9 }, { toString: 9 }],
  ["a list for an object", Type.Object({ a: Type.Integer({ maximum: 1 }) }), [{ a: 2 }], [{ a: 2 }]],
  ["null for an object", Type.Object({ a: Type.Integer() }), null, null],
])("%s is fitted", (_name, schema, value, fitted) => {
  expect(fitToBounds(schema, value)).toEqual(fitted);
});

test.each<[string, unknown, unknown]>([
  ["a text", "a\u001bb", "a b"],
  ["texts in lists and objects", [{ a: ["\n"] }, 3, null, "x"], [{ a: [" "] }, 3, null, "x"]],
  ["names", { "a\u0000": 1, b: "\u0001" }, { "a ": 1, b: " " }],
])("%s is cleaned", (_name, value, cleaned) => {
  expect(cleanTexts(value)).toEqual(cleaned);
});

test("a whole number out of bounds is clamped, a fraction rounded", () => {
  const schema = Type.Object({ n: Type.Integer({ minimum: 0, maximum: 5 }), x: Type.Number({ maximum: 5 }) });
  expect(fitToBounds(schema, { n: 2.6, x: 2.6 })).toEqual({ n: 3, x: 2.6 });
  expect(fitToBounds(schema, { n: -1, x: 9 })).toEqual({ n: 0, x: 5 });
});

test.each([
  ["fields by names without number", { tags: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`t${n}`, ""])) }],
  ["a name without end", { tags: { ["x".repeat(65)]: "" } }],
  ["a name that objects inherit", '{"__proto__": "x"}'],
])("tags: %s are refused", (_name, given) => {
  const sent =
    typeof given === "string"
      ? JSON.stringify(aBirth()).replace('"tags":{}', `"tags":${given}`)
      : { ...aBirth(), ...given };
  expect(decodeMessage(Birth, bytes(sent)).ok).toBe(false);
});

test.each([
  "ftp://thor-1",
  "http://user:secret@thor-1:8080",
  "http://thor-1:8080/?q",
  "http://thor-1:8080/#a",
  "http://",
  "http://-oproxycommand=x/",
  "http:// thor-1",
  "javascript:alert(1)",
  "//thor-1",
])("%p is no address of an agent", (url) => {
  expect(decodeMessage(Presence, bytes(aPresence({ url }))).ok).toBe(false);
});

test.each(["", "http://thor-1.local:8080", "https://10.0.0.7/agents/a", "http://[fe80::1]:8080", "http://x"])(
  "%p is one",
  (url) => expect(decodeMessage(Presence, bytes(aPresence({ url }))).ok).toBe(true),
);

test.each(["-rf", ".", "..", ".hidden", "a/b", "a b", ""])("%p is no id", (agentId) => {
  expect(decodeMessage(Presence, bytes({ ...aPresence(), agentId })).ok).toBe(false);
});

test.each([
  ["lists", "[".repeat(120_000)],
  ["whole lists", `${"[".repeat(60_000)}${"]".repeat(60_000)}`],
  ["objects", `${'{"a":'.repeat(30_000)}1${"}".repeat(30_000)}`],
  ["deep in a field", JSON.stringify(aPresence()).replace('"hall-1"', `${"[".repeat(50_000)}${"]".repeat(50_000)}`)],
  ["deep in an unknown field", `{"x":${"[".repeat(50_000)}"\\u001b"${"]".repeat(50_000)}}`],
  ["names without number", `{${Array.from({ length: 20_000 }, (_, n) => `"${n}":1`).join()}}`],
])("foreign nesting neither throws nor hangs: %s", (_name, payload) => {
  expect(cpuMsOf(() => expect(decodeMessage(Presence, bytes(payload)).ok).toBe(false))).toBeLessThan(5000);
});

test("what went wrong is said in one clean line of limited length", () => {
  const decoded = decodeMessage(Presence, bytes({ ...aPresence(), role: `\u001b]0;x\u0007${"y".repeat(9999)}` }));
  const reason = decoded.ok ? "" : decoded.reason;
  expect(reason).toBe(cleanText(reason));
  expect(reason.length).toBeLessThan(300);
});

test("a message of our own is not fitted by the strict encoder", () => {
  expect(() => encodeMessage(Desired, aDesired({ version: 1e300 }))).toThrow(/This is a bug/);
});
