import type { Limits } from "#controller/access/decide-ceilings.ts";
import type { Tenant } from "#controller/store/store.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import {
  type Command,
  type OptionValues,
  optionalNumber,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { bounds, TenantName } from "#protocol/bounds.ts";
import { maxLimit } from "#protocol/messages.ts";
import { askController, controllerUrlOption } from "../run/ask-controller.ts";
import { namesOf } from "./names-option.ts";
import { eraseTenant, exportTenant, showJobs } from "./tenant-jobs.ts";
import { reasonOf, reasonOption } from "./with-controller-store.ts";

const path = "/api/v1/tenants";
const actions = ["create", "list", "update", "suspend", "resume", "delete", "erase", "export", "jobs"] as const;

function settingsOf(values: OptionValues) {
  const costCentre = optionalString(values, "cost-centre");
  const limit = (option: string) => {
    if (values[option] === "any") return null;
    const max = option.endsWith("-per-minute") ? bounds.tokens : maxLimit;
    return optionalNumber(values, option, { min: 0, max, integer: true });
  };
  const timeZone = optionalString(values, "quota-time-zone");
  const given = {
    requestsPerMinute: limit("requests-per-minute"),
    textsPerMinute: limit("texts-per-minute"),
    tokensPerMinute: limit("tokens-per-minute"),
    requestsPerDay: limit("requests-per-day"),
    textsPerDay: limit("texts-per-day"),
    tokensPerDay: limit("tokens-per-day"),
    requestsPerMonth: limit("requests-per-month"),
    textsPerMonth: limit("texts-per-month"),
    tokensPerMonth: limit("tokens-per-month"),
    quotaTimeZone: timeZone,
    retentionDays:
      values["retention-days"] === "any" ? null : optionalNumber(values, "retention-days", { min: 1, max: 3650 }),
    models: namesOf(values, "models"),
    regions: namesOf(values, "regions"),
    costCentre: costCentre === "" ? null : costCentre,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

const lowest = (limits: readonly (number | null | undefined)[]) => {
  const numbers = limits.filter((limit) => limit != null);
  return numbers.length === 0 ? "any" : String(Math.min(...numbers));
};
const ceilingToText = ({ budget, untilMs }: { readonly budget: string; readonly untilMs: number }) =>
  `${cleanText(budget)} until ${new Date(untilMs).toISOString().slice(0, 16)}Z`;

/** Tenant as the controller shows it, with the limits that budgets put on it. */
type ShownTenant = Tenant & {
  readonly ceilings?: readonly (Limits & { readonly budget: string; readonly untilMs: number })[];
};

export function tenantsToText(tenants: readonly ShownTenant[]): string {
  if (tenants.length === 0) return "there are no tenants";
  const shown = (names: readonly string[] | null) => (names === null ? "any" : cleanText(names.join(", ")));
  const isLimited = tenants.some(({ ceilings = [] }) => ceilings.length > 0);
  const rows = tenants.map(({ id, ceilings = [], settings: { suspended, models, regions, costCentre, ...limits } }) => [
    ...[id, suspended ? "suspended" : "active", shown(models), shown(regions)],
    lowest([limits.requestsPerMinute, ...ceilings.map(({ requests }) => requests)]),
    lowest([limits.textsPerMinute]),
    lowest([limits.tokensPerMinute, ...ceilings.map(({ tokens }) => tokens)]),
    cleanText(costCentre ?? "-"),
    ...(isLimited ? [ceilings.map(ceilingToText).join(", ") || "-"] : []),
  ]);
  const columns = ["TENANT", "STATE", "MODELS", "REGIONS", "REQUESTS/MIN", "TEXTS/MIN", "TOKENS/MIN", "COST CENTRE"];
  return formatTable(isLimited ? [...columns, "LIMITED BY BUDGET"] : columns, rows);
}

function onlyId(words: readonly string[]): string {
  const [id, ...more] = words;
  if (id === undefined || more.length > 0 || !new RegExp(TenantName.pattern as string).test(id))
    throw new UsageError(`expected the name of one tenant, ${TenantName.title}; got "${words.join(" ")}"`);
  return id;
}

async function change(values: OptionValues, id: string, body: object): Promise<number> {
  if (Object.keys(body).length === 0)
    throw new UsageError("expected something to change: --models, --regions, --cost-centre or a limit");
  const { tenant } = (await askController(values, `${path}/${id}`, { method: "PATCH", body, ...reasonOf(values) })) as {
    readonly tenant: Tenant;
  };
  console.log(values["json"] === true ? JSON.stringify({ tenant }, null, 2) : tenantsToText([tenant]));
  return 0;
}

async function create(values: OptionValues, id: string): Promise<number> {
  const body = { id, ...settingsOf(values) };
  const { tenant } = (await askController(values, path, { method: "POST", body, ...reasonOf(values) })) as {
    readonly tenant: Tenant;
  };
  console.log(values["json"] === true ? JSON.stringify({ tenant }, null, 2) : tenantsToText([tenant]));
  return 0;
}

async function list(values: OptionValues): Promise<number> {
  const { tenants } = (await askController(values, path)) as { readonly tenants: readonly ShownTenant[] };
  console.log(values["json"] === true ? JSON.stringify({ tenants }, null, 2) : tenantsToText(tenants));
  return 0;
}

const limitOptions = {
  ...Object.fromEntries(
    ["minute", "day", "month"].flatMap((time) =>
      ["requests", "texts", "tokens"].map((kind) => [
        `${kind}-per-${time}`,
        { value: "N", help: `${kind} per ${time} on all agents together; any: no limit` },
      ]),
    ),
  ),
  "quota-time-zone": { value: "ZONE", help: "time zone of days and months, like Europe/Berlin (default: UTC)" },
};

export const tenantsCommand: Command = {
  summary: "create, update, suspend, delete, erase or export a fleet's tenants",
  usage:
    "create|update TENANT [--models A,B|any] [--regions A,B|any] [--cost-centre TEXT] [--retention-days DAYS|any]\n         [--requests-per-minute|-day|-month N|any] [--texts-per-… N|any] [--tokens-per-… N|any] [--quota-time-zone ZONE]\n       thormesh tenants suspend|resume|delete TENANT\n       thormesh tenants erase TENANT\n       thormesh tenants export TENANT --out DIR [--job JOB]\n       thormesh tenants jobs [JOB]\n       thormesh tenants list\n       each with [--url URL] [--reason TEXT] [--json]",
  examples: [
    "thormesh tenants create shop --models any --requests-per-minute 600",
    "thormesh tenants export shop --out shop-data",
  ],
  options: {
    models: { value: "NAMES", help: "comma-separated ids of the models it may use; any: all" },
    regions: { value: "NAMES", help: "regions in which its texts may be computed; any: all" },
    ...limitOptions,
    out: { value: "DIR", only: "export", help: "new or empty directory for the export" },
    job: { value: "JOB", only: "export", help: "an export started earlier (default: a new one)" },
    "retention-days": {
      value: "DAYS",
      help: "days after which its costs lose its name; any: never",
    },
    "cost-centre": { value: "TEXT", help: "cost centre that reports name" },
    ...controllerUrlOption,
    ...reasonOption,
    json: { help: "print JSON" },
  },
  async run(values, [action, ...rest]) {
    if (action !== "create" && action !== "update")
      for (const name of ["models", "regions", "cost-centre", "retention-days", ...Object.keys(limitOptions)])
        if (name in values) throw new UsageError(`--${name} is for create and update, not for ${action ?? "nothing"}`);
    switch (action) {
      case "create":
        return create(values, onlyId(rest));
      case "list":
        if (rest.length > 0) throw new UsageError(`tenants list: expected nothing more, got "${rest.join(" ")}"`);
        return list(values);
      case "update":
        return change(values, onlyId(rest), settingsOf(values));
      case "suspend":
      case "resume":
        return change(values, onlyId(rest), { suspended: action === "suspend" });
      case "delete": {
        const id = onlyId(rest);
        await askController(values, `${path}/${id}`, { method: "DELETE", ...reasonOf(values) });
        console.log(
          values["json"] === true ? JSON.stringify({ deleted: id }) : `tenant ${id} is deleted, its keys are revoked`,
        );
        return 0;
      }
      case "erase":
        return eraseTenant(values, onlyId(rest));
      case "export":
        return exportTenant(values, onlyId(rest));
      case "jobs":
        return showJobs(values, rest);
      default:
        throw unexpectedWord("create, list, update, suspend, resume, delete, erase, export or jobs", action, actions);
    }
  },
};
