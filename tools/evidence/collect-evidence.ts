import type { AuditPage } from "#controller/api/audit-routes.ts";
import { AuditCheck, type AuditRow } from "#controller/audit/audit-check.ts";
import { auditVerdictToText } from "#controller/audit/audit-verdict-to-text.ts";
import type { TenantJobView } from "#controller/privacy/tenant-jobs.ts";
import type { TenantReceipt } from "#controller/store/store.ts";
import { dataMap } from "#tools/data-map/data-map.ts";

/** Asks a controller for a path of its API. */
export type Ask = (path: string) => Promise<unknown>;

/** Time that evidence is about; ends before `toMs`. */
export interface EvidenceWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface EvidenceFile {
  readonly name: string;
  readonly text: string;
}

const pageLength = 1000;

/** Files of an evidence directory, with what they show; docs/compliance.md names them. */
export const evidenceFiles: Readonly<Record<string, string>> = {
  "access-changes.jsonl": "keys, tenants, tokens and devices created, approved, revoked or deleted in the period",
  "audit.jsonl": "the audit log's entries of the period",
  "audit-verdict.json": "whether the whole audit log is unaltered, and its newest entry",
  "config.json": "the controller's configuration without secrets: retention, roles of the identity provider, limits",
  "data-map.json": "every store: its content, purpose and retention, and the effect of erasing a tenant",
  "devices.json": "devices that have joined, are waiting or were revoked, with their certificates' expiry",
  "encryption.json": "which listeners and which keys are encrypted",
  "health.json": "faults known to the controller",
  "keys.json": "keys with role, tenant, expiry and last use, and join tokens; never the secrets themselves",
  "routes.json": "the role that each route of the API needs",
  "sbom.cdx.json": "what the executable is made of, as CycloneDX",
  "tenant-jobs.json": "erasures and exports begun or completed in the period, with every store's receipt",
  "tenants.json": "tenants with models, regions and limits",
};

const toJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
const toLines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");

/** Reads the whole audit log; returns its verdict and the rows of the window. */
async function readAudit(ask: Ask, { fromMs, toMs }: EvidenceWindow) {
  const check = new AuditCheck();
  const rows: AuditRow[] = [];
  for (let after = 0; ; ) {
    const { entries } = (await ask(`/api/v1/audit?after=${after}&limit=${pageLength}`)) as AuditPage;
    for (const row of entries) {
      check.add(row);
      if (row.entry !== null && row.entry.atMs >= fromMs && row.entry.atMs < toMs) rows.push(row);
    }
    const last = entries.at(-1);
    if (last === undefined) break;
    after = last.seq;
  }
  const verdict = check.verdict();
  return { rows, verdict: { ...verdict, text: auditVerdictToText(verdict) } };
}

async function readDevices(ask: Ask): Promise<object[]> {
  const devices: object[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const query = new URLSearchParams({ limit: String(pageLength), ...(after === "" ? {} : { after }) });
    const page = (await ask(`/api/v1/devices?${query}`)) as { devices: object[]; next: string | null };
    devices.push(...page.devices);
    after = page.next;
  }
  return devices;
}

async function readReceipts(ask: Ask, id: string): Promise<TenantReceipt[]> {
  const all: TenantReceipt[] = [];
  for (let after = ""; ; ) {
    const query = new URLSearchParams({ limit: String(pageLength), ...(after === "" ? {} : { after }) });
    const { receipts } = (await ask(`/api/v1/tenant-jobs/${id}?${query}`)) as { receipts: TenantReceipt[] };
    all.push(...receipts);
    const last = receipts.at(-1);
    if (last === undefined || receipts.length < pageLength) return all;
    after = last.of;
  }
}

async function readJobs(ask: Ask, { fromMs, toMs }: EvidenceWindow): Promise<object[]> {
  const { jobs } = (await ask(`/api/v1/tenant-jobs?limit=${pageLength}`)) as { jobs: TenantJobView[] };
  const within = jobs.filter(({ createdMs, doneMs }) => createdMs < toMs && (doneMs === null || doneMs >= fromMs));
  return Promise.all(within.map(async (job) => ({ ...job, receipts: await readReceipts(ask, job.id) })));
}

/** Roles by route, from the API's own document. */
function rolesOf(openApi: unknown): object {
  const { paths } = openApi as {
    paths: Record<string, Record<string, { security?: unknown[]; "x-thormesh-role"?: string }>>;
  };
  return Object.fromEntries(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security, "x-thormesh-role": role }]) => [
        `${method.toUpperCase()} ${path}`,
        security?.length === 0 ? "open" : (role ?? (method === "get" ? "viewer" : "admin")),
      ]),
    ),
  );
}

interface ConfigAnswer {
  readonly config: {
    readonly api: { readonly host: string; readonly tls?: unknown };
    readonly broker: {
      readonly host: string;
      readonly url: string | null;
      readonly tls: { readonly port: number | null };
    };
    readonly identity: object;
  };
  readonly state: object;
}

function encryptionOf({ config: { api, broker, identity }, state }: ConfigAnswer): object {
  return {
    api: { host: api.host, tls: api.tls ?? null },
    mqtt: { host: broker.host, url: broker.url, tls: broker.tls },
    identity,
    state,
  };
}

const isOfAccess = ({ entry }: AuditRow) => /^(keys|tokens|devices|tenants)\./.test(entry?.action ?? "");

/**
 * Collects evidence of how a fleet is run, from its controller.
 * @param bill bill of materials of this executable
 */
export async function collectEvidence(ask: Ask, window: EvidenceWindow, bill: object): Promise<EvidenceFile[]> {
  const config = (await ask("/api/v1/config")) as ConfigAnswer;
  const { rows, verdict } = await readAudit(ask, window);
  const contents: Readonly<Record<string, string>> = {
    "access-changes.jsonl": toLines(rows.filter(isOfAccess)),
    "audit.jsonl": toLines(rows),
    "audit-verdict.json": toJson(verdict),
    "config.json": toJson(config),
    "data-map.json": toJson({ stores: dataMap }),
    "devices.json": toJson({ devices: await readDevices(ask) }),
    "encryption.json": toJson(encryptionOf(config)),
    "health.json": toJson(await ask("/healthz")),
    "keys.json": toJson({
      ...Object(await ask("/api/v1/keys")),
      joinTokens: Object(await ask("/api/v1/join-tokens")).tokens,
    }),
    "routes.json": toJson(rolesOf(await ask("/openapi/json"))),
    "sbom.cdx.json": toJson(bill),
    "tenant-jobs.json": toJson({ jobs: await readJobs(ask, window) }),
    "tenants.json": toJson(await ask("/api/v1/tenants")),
  };
  return Object.keys(evidenceFiles).map((name) => ({ name, text: contents[name] ?? "" }));
}
