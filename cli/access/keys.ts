import { KeyRing, type KeyView, type NewKey } from "#controller/access/key-ring.ts";
import { defaultOverlapS, maxKeyLifeS, maxOverlapS } from "#controller/api/key-routes.ts";
import { KeyName } from "#controller/store/row-schemas.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { roles } from "#platform/http/guard/roles.ts";
import { createLogger } from "#platform/log.ts";
import {
  type Command,
  type OptionValues,
  optionalChoice,
  requiredOption,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { optionalDuration } from "#platform/terminal/duration.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { askController, controllerUrlOption } from "../run/ask-controller.ts";
import { localStoreOptions, withControllerStore } from "./with-controller-store.ts";

/** Request of a sub-command: to the API, or its like on the store. */
interface Asked<T> {
  readonly path: string;
  readonly request: Parameters<typeof askController>[2];
  readonly local: (keys: KeyRing) => Promise<T>;
}

async function ask<T>(values: OptionValues, { path, request, local }: Asked<T>): Promise<T> {
  if (values["local"] !== true) {
    for (const name of ["state-dir", "config"])
      if (name in values) throw new UsageError(`--${name} works only with --local`);
    return (await askController(values, path, request)) as T;
  }
  if ("url" in values) throw new UsageError("--url can't be combined with --local");
  return withControllerStore(values, async (store, { api }) => {
    const log = createLogger("keys", "warn");
    const keys = new KeyRing({ store, nowMs: Date.now, log, hasOtherKeys: api.apiKeys.length > 0 });
    await keys.load();
    return local(keys);
  });
}

const timeToText = (atMs: number | null, without: string) =>
  atMs === null ? without : new Date(atMs).toISOString().slice(0, 16).replace("T", " ");

function listToText(keys: readonly KeyView[]): string {
  if (keys.length === 0) return "no key was issued";
  const rows = keys.map(({ id, name, role, state, createdAtMs, expiresAtMs, lastUsedAtMs }) => [
    ...[id, cleanText(name), role, state, timeToText(createdAtMs, "-")],
    ...[timeToText(expiresAtMs, "never"), timeToText(lastUsedAtMs, "never")],
  ]);
  return formatTable(["ID", "NAME", "ROLE", "STATE", "CREATED (UTC)", "EXPIRES", "LAST USED"], rows);
}

/** Prints a new key: it alone on standard output, so that it can be written to a file. */
function showNew({ key, secret }: NewKey, values: OptionValues): number {
  if (values["json"] === true) printLine(JSON.stringify({ key, secret }, null, 2));
  else {
    console.error(
      `key ${key.id} (${cleanText(key.name)}), role ${key.role}, expires: ${timeToText(key.expiresAtMs, "never")}; it is shown only now:`,
    );
    printLine(secret);
  }
  return 0;
}

const actions = ["create", "list", "rotate", "revoke"] as const;

function onlyId(words: readonly string[]): string {
  const [id, ...more] = words;
  if (id === undefined || more.length > 0 || !/^[0-9a-z]{8}$/.test(id))
    throw new UsageError(
      `expected the id of one key, 8 letters and digits as in thormesh keys list, got "${words.join(" ")}"`,
    );
  return id;
}

async function create(values: OptionValues): Promise<number> {
  const name = requiredOption(values, "name");
  if (!new RegExp(KeyName.pattern as string).test(name))
    throw new UsageError(`--name: expected ${KeyName.title}, got "${name}"`);
  const role = optionalChoice(values, "role", roles);
  if (role === undefined) throw new UsageError(`--role is required: one of ${roles.join(", ")}`);
  const expiresInS = optionalDuration(values, "expires", { minS: 1, maxS: maxKeyLifeS }) ?? null;
  const body = { name, role, ...(expiresInS === null ? {} : { expiresInS }) };
  const made = await ask<NewKey>(values, {
    path: "/api/v1/keys",
    request: { method: "POST", body },
    local: (keys) => keys.create(name, role, expiresInS),
  });
  return showNew(made, values);
}

async function rotate(id: string, values: OptionValues): Promise<number> {
  const overlapS = optionalDuration(values, "overlap", { minS: 0, maxS: maxOverlapS }) ?? defaultOverlapS;
  const made = await ask<NewKey>(values, {
    path: `/api/v1/keys/${id}/rotate`,
    request: { method: "POST", body: { overlapS } },
    local: (keys) => keys.rotate(id, overlapS),
  });
  return showNew(made, values);
}

async function list(values: OptionValues): Promise<number> {
  const { keys } = await ask<{ readonly keys: readonly KeyView[] }>(values, {
    path: "/api/v1/keys",
    request: { method: "GET" },
    local: async (ring) => ({ keys: ring.list() }),
  });
  console.log(values["json"] === true ? JSON.stringify({ keys }, null, 2) : listToText(keys));
  return 0;
}

async function revoke(id: string, values: OptionValues): Promise<number> {
  const { key } = await ask<{ readonly key: KeyView }>(values, {
    path: `/api/v1/keys/${id}`,
    request: { method: "DELETE" },
    local: async (keys) => ({ key: await keys.revoke(id) }),
  });
  console.log(
    values["json"] === true ? JSON.stringify({ key }, null, 2) : `key ${id} (${cleanText(key.name)}) is revoked`,
  );
  return 0;
}

export const keysCommand: Command = {
  summary: "make, list, rotate and revoke the keys of a controller's API",
  usage:
    "create --name NAME --role viewer|operator|admin [--expires 90d]\n       thormesh keys list\n       thormesh keys rotate ID [--overlap 24h]\n       thormesh keys revoke ID\n       each with [--url URL | --local [--state-dir DIR | --config FILE]] [--json]",
  options: {
    name: { value: "NAME", only: "create", help: "what the key is for" },
    role: {
      value: "ROLE",
      only: "create",
      help: "viewer: reads; operator: also overrides and freezes; admin: everything",
    },
    expires: { value: "TIME", only: "create", help: "end after this time, such as 90d (default: never)" },
    overlap: { value: "TIME", only: "rotate", help: "time for which the old key stays valid (default: 24h)" },
    ...controllerUrlOption,
    ...localStoreOptions,
    json: { help: "print JSON" },
  },
  async run(values, [action, ...rest]) {
    const nothingMore = () => {
      if (rest.length > 0) throw new UsageError(`keys ${action}: expected nothing more, got "${rest.join(" ")}"`);
    };
    switch (action) {
      case "create":
        nothingMore();
        return create(values);
      case "list":
        nothingMore();
        return list(values);
      case "rotate":
        return rotate(onlyId(rest), values);
      case "revoke":
        return revoke(onlyId(rest), values);
      default:
        throw unexpectedWord("create, list, rotate or revoke", action, actions);
    }
  },
};
