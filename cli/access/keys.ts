import { KeyRing, type KeyView, type NewKey } from "#controller/access/key-ring.ts";
import { defaultOverlapS, maxKeyLifeS, maxOverlapS } from "#controller/api/key-routes.ts";
import { AuditLog } from "#controller/audit/audit-log.ts";
import { KeyName } from "#controller/store/row-schemas.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { roles } from "#platform/http/guard/roles.ts";
import { createLogger } from "#platform/log.ts";
import {
  type Command,
  type OptionValues,
  optionalChoice,
  optionalString,
  requiredOption,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { optionalDuration } from "#platform/terminal/duration.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { askController, controllerUrlOption } from "../run/ask-controller.ts";
import { namesOf } from "./names-option.ts";
import {
  localSource,
  localStoreOptions,
  reasonOf,
  reasonOption,
  refuseMixedStore,
  withControllerStore,
} from "./with-controller-store.ts";

/** Request of a sub-command: to the API, or its like on the store. */
interface Asked<T> {
  readonly path: string;
  readonly request: NonNullable<Parameters<typeof askController>[2]>;
  readonly local: (keys: KeyRing, change: LocalChange) => Promise<T>;
}

/** Records a change of the store and makes it. */
type LocalChange = <T>(
  what: Parameters<AuditLog["change"]>[1],
  act: () => Promise<T>,
  afterOf?: (result: T) => unknown,
) => Promise<T>;

async function ask<T>(values: OptionValues, { path, request, local }: Asked<T>): Promise<T> {
  if (refuseMixedStore(values) === "api")
    return (await askController(values, path, { ...request, ...reasonOf(values) })) as T;
  return withControllerStore(values, async (store, { api }) => {
    const log = createLogger("keys", "warn");
    const keys = new KeyRing({ store, nowMs: Date.now, log, hasOtherKeys: api.apiKeys.length > 0 });
    await keys.load();
    const audit = new AuditLog({ store, nowMs: Date.now, log });
    return local(keys, (what, act, afterOf) => audit.change(localSource(values), what, act, afterOf));
  });
}

const timeToText = (atMs: number | null, without: string) =>
  atMs === null ? without : new Date(atMs).toISOString().slice(0, 16).replace("T", " ");

function listToText(keys: readonly KeyView[]): string {
  if (keys.length === 0) return "no key was issued";
  const rows = keys.map(({ id, name, role, tenant, state, createdAtMs, expiresAtMs, lastUsedAtMs }) => [
    ...[id, cleanText(name), tenant === null ? role : `${role} ${tenant}`, state, timeToText(createdAtMs, "-")],
    ...[timeToText(expiresAtMs, "never"), role === "embed" ? "-" : timeToText(lastUsedAtMs, "never")],
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

const madeKey = ({ key }: NewKey) => key;

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
  const tenant = optionalString(values, "tenant") ?? null;
  if (tenant !== null && values["local"] === true)
    throw new UsageError("--tenant can't be combined with --local: tenants' keys are created through the API");
  const expiresInS = optionalDuration(values, "expires", { minS: 1, maxS: maxKeyLifeS }) ?? null;
  const scope = { models: namesOf(values, "models"), regions: namesOf(values, "regions") };
  if ((scope.models !== undefined || scope.regions !== undefined) && tenant === null)
    throw new UsageError("--models and --regions are for tenants' keys: expected --tenant");
  const body = {
    ...Object.fromEntries(Object.entries(scope).filter(([, names]) => names !== undefined)),
    ...{ name, role },
    ...(expiresInS === null ? {} : { expiresInS }),
    ...(tenant === null ? {} : { tenant }),
  };
  const made = await ask<NewKey>(values, {
    path: "/api/v1/keys",
    request: { method: "POST", body },
    local: (keys, change) =>
      change(
        { action: "keys.create", target: name, before: null },
        () => keys.create({ name, role, expiresInS, tenant }),
        madeKey,
      ),
  });
  return showNew(made, values);
}

async function rotate(id: string, values: OptionValues): Promise<number> {
  const overlapS = optionalDuration(values, "overlap", { minS: 0, maxS: maxOverlapS }) ?? defaultOverlapS;
  const made = await ask<NewKey>(values, {
    path: `/api/v1/keys/${id}/rotate`,
    request: { method: "POST", body: { overlapS } },
    local: (keys, change) =>
      change({ action: "keys.rotate", target: id, before: keys.view(id) }, () => keys.rotate(id, overlapS), madeKey),
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
    local: async (keys, change) => ({
      key: await change({ action: "keys.revoke", target: id, before: keys.view(id) }, () => keys.revoke(id)),
    }),
  });
  console.log(
    values["json"] === true ? JSON.stringify({ key }, null, 2) : `key ${id} (${cleanText(key.name)}) is revoked`,
  );
  return 0;
}

export const keysCommand: Command = {
  summary: "create, list, rotate or revoke API keys of the controller and of tenants",
  usage:
    "create --name NAME --role viewer|operator|admin [--expires 90d]\n       thormesh keys create --name NAME --role embed --tenant TENANT [--models A,B] [--regions A,B] [--expires 90d]\n       thormesh keys list\n       thormesh keys rotate ID [--overlap 24h]\n       thormesh keys revoke ID\n       each with [--url URL | --local [--state-dir DIR | --config FILE]] [--reason TEXT] [--json]",
  examples: [
    "thormesh keys create --name grafana --role viewer --expires 90d",
    "sudo thormesh keys create --local --name me --role admin",
  ],
  options: {
    name: { value: "NAME", only: "create", help: "what the key is for" },
    role: {
      value: "ROLE",
      only: "create",
      help: "viewer: reads; operator: also overrides and freezes; admin: everything; embed: a tenant's at the agents",
    },
    tenant: { value: "TENANT", only: "create", help: "with --role embed: tenant whose requests carry the key" },
    models: {
      value: "NAMES",
      only: "create",
      help: "with --tenant: those of the tenant's models that the key may use",
    },
    regions: {
      value: "NAMES",
      only: "create",
      help: "with --tenant: those of the tenant's regions where texts may be computed",
    },
    expires: { value: "TIME", only: "create", help: "expire after this time, such as 90d (default: never)" },
    overlap: { value: "TIME", only: "rotate", help: "how long the old key stays valid (default: 24h)" },
    ...controllerUrlOption,
    ...localStoreOptions,
    ...reasonOption,
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
