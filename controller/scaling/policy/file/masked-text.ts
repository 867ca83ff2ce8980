import { maskSecrets } from "#platform/fetch/redact-url.ts";
import { writeYaml } from "#platform/files/parse-yaml.ts";

/** Part of a policy as it was parsed from YAML or JSON. */
type Parsed = unknown;

const isRecord = (value: Parsed): value is Record<string, Parsed> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Text of a policy that may be shown. */
export interface ShownText {
  readonly text: string;
  /** True: secrets stand in it as placeholders, and it was written anew, without comments. */
  readonly isMasked: boolean;
}

/** Returns a policy's text as it may be shown: as it was written where it holds no secret. */
export function showPolicyText(text: string, input: Parsed): ShownText {
  const masked = maskSecrets(input);
  return JSON.stringify(masked) === JSON.stringify(input)
    ? { text, isMasked: false }
    : { text: writeYaml(masked), isMasked: true };
}

/** Finds the item of a list that is meant by another one: the one of that name, else the one in its place. */
function counterpart(list: readonly Parsed[], item: Parsed, index: number): Parsed {
  const name = isRecord(item) ? item["name"] : undefined;
  if (name === undefined) return list[index];
  return list.find((each) => isRecord(each) && each["name"] === name);
}

/**
 * Puts the secrets of a policy back where its masked text has placeholders.
 * @returns the policy, and the paths of placeholders that stand for nothing known
 */
export function unmaskPolicy(
  given: Parsed,
  current: Parsed,
): { readonly input: Parsed; readonly isChanged: boolean; readonly unknown: readonly string[] } {
  const unknown: string[] = [];
  let isChanged = false;
  const restore = (value: Parsed, own: Parsed, path: string): Parsed => {
    if (typeof value === "string" || typeof value === "number") {
      // The text of a placeholder is what masking leaves as it is.
      if (typeof own !== "string" && typeof own !== "number") return checkPlaceholder(value, path);
      const isMaskOf = value !== own && placeholdersOf(own).includes(value);
      if (!isMaskOf) return checkPlaceholder(value, path);
      isChanged = true;
      return own;
    }
    if (Array.isArray(value)) {
      const list = Array.isArray(own) ? own : [];
      return value.map((each, index) => restore(each, counterpart(list, each, index), `${path}.${index}`));
    }
    if (!isRecord(value)) return value;
    // What is asked of another address gets no secret that was meant for the one before.
    const record = isRecord(own) && isSameAddress(value["url"], own["url"]) ? own : {};
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [
        key,
        restore(each, record[key], path === "" ? key : `${path}.${key}`),
      ]),
    );
  };
  const checkPlaceholder = (value: string | number, path: string) => {
    if (typeof value === "string" && value.includes(placeholder)) unknown.push(path);
    return value;
  };
  return { input: restore(given, current, ""), isChanged, unknown };
}

/** Sign for a secret, as masking writes it. */
const placeholder = String((maskSecrets({ password: "x" }) as { password: string }).password);

const isSameAddress = (given: Parsed, own: Parsed) => given === own || given === maskSecrets(own);

/** Texts that stand for a value once it was masked: as a secret, or as an address with one. */
const placeholdersOf = (own: string | number): readonly Parsed[] => [placeholder, maskSecrets(own)];
