import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ExportPage, exportedStores } from "#controller/privacy/tenant-export.ts";
import type { TenantJobView } from "#controller/privacy/tenant-jobs.ts";
import type { TenantReceipt } from "#controller/store/store.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { type OptionValues, optionalString } from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { version } from "#platform/version.ts";
import { askController } from "../run/ask-controller.ts";
import { reasonOf } from "./with-controller-store.ts";

const jobsPath = "/api/v1/tenant-jobs";
const pageLength = 1000;

interface JobAnswer {
  readonly job: TenantJobView;
}

const timeToText = (atMs: number) => new Date(atMs).toISOString().slice(0, 19).replace("T", " ");

/** Sentence about the state of a job. */
function jobToText({ id, kind, tenant, state, agents, waiting, waitingFor }: TenantJobView): string {
  const what = `job ${id}, ${kind} of ${tenant}`;
  if (state === "done") return `${what}: done; the controller and ${agents} agents have answered or are retired`;
  const named = waitingFor.slice(0, 10).join(", ");
  const more = waiting > 10 ? ` and ${waiting - 10} more` : "";
  return `${what}: under way; waiting for ${named}${more}. Retire any agent that will not come back`;
}

function printJob(values: OptionValues, job: TenantJobView): void {
  console.log(values["json"] === true ? JSON.stringify({ job }, null, 2) : cleanText(jobToText(job)));
}

async function begin(values: OptionValues, kind: "erase" | "export", tenant: string): Promise<TenantJobView> {
  const request = { method: "POST", ...reasonOf(values) } as const;
  return ((await askController(values, `/api/v1/tenants/${tenant}/${kind}`, request)) as JobAnswer).job;
}

export async function eraseTenant(values: OptionValues, tenant: string): Promise<number> {
  printJob(values, await begin(values, "erase", tenant));
  return 0;
}

/** Yields what the controller holds of a store, page by page. */
async function* recordsOf(values: OptionValues, job: string, store: string): AsyncGenerator<object> {
  for (let after: string | null = ""; after !== null; ) {
    const query = new URLSearchParams({ store, limit: String(pageLength), ...(after === "" ? {} : { after }) });
    const page = (await askController(values, `${jobsPath}/${job}/records?${query}`)) as ExportPage;
    yield* page.records;
    after = page.next;
  }
}

async function* receiptsOf(values: OptionValues, job: string): AsyncGenerator<TenantReceipt> {
  for (let after = ""; ; ) {
    const query = new URLSearchParams({ limit: String(pageLength), ...(after === "" ? {} : { after }) });
    const { receipts } = (await askController(values, `${jobsPath}/${job}?${query}`)) as {
      receipts: TenantReceipt[];
    };
    yield* receipts;
    const last = receipts.at(-1);
    if (last === undefined || receipts.length < pageLength) return;
    after = last.of;
  }
}

/** Writes records as JSON lines; returns what the manifest says of the file. */
async function writeRecords(directory: string, name: string, records: AsyncIterable<object>) {
  const lines: string[] = [];
  for await (const record of records) lines.push(`${JSON.stringify(record)}\n`);
  const text = lines.join("");
  writeFileSync(join(directory, name), text, { mode: 0o600 });
  return { file: name, records: lines.length, sha256: createHash("sha256").update(text).digest("hex") };
}

/** Writes all that a fleet holds of a tenant into a directory, and begins the job that makes agents send what they still have. */
export async function exportTenant(values: OptionValues, tenant: string): Promise<number> {
  const directory = optionalString(values, "out");
  if (directory === undefined) throw new UsageError("expected --out DIR, a new or empty directory for the export");
  if (existsSync(directory) && readdirSync(directory).length > 0)
    throw new UsageError(`--out: expected a new or empty directory, ${directory} has files in it`);
  const id = optionalString(values, "job");
  const job =
    id === undefined
      ? await begin(values, "export", tenant)
      : ((await askController(values, `${jobsPath}/${id}?limit=1`)) as JobAnswer).job;
  if (job.kind !== "export" || job.tenant !== tenant)
    throw new UsageError(`--job: expected an export of ${tenant}, ${id} is an ${job.kind} of ${cleanText(job.tenant)}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const files: object[] = [];
  for (const store of exportedStores) {
    const name = `${store.split("/")[1]}.jsonl`;
    files.push({ store, ...(await writeRecords(directory, name, recordsOf(values, job.id, store))) });
  }
  files.push(await writeRecords(directory, "receipts.jsonl", receiptsOf(values, job.id)));
  const manifest = { format: "thormesh-tenant-export", formatVersion: 1, by: `thormesh ${version}`, job, files };
  writeFileSync(join(directory, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
  if (values["json"] === true) console.log(JSON.stringify(manifest, null, 2));
  else {
    console.log(`${files.length} files and manifest.json written to ${directory}`);
    console.log(cleanText(jobToText(job)));
    if (job.state !== "done")
      console.log(`the agents' part follows when the job is done: run this again with --job ${job.id} then`);
  }
  return 0;
}

/** Lists jobs, or shows one with its receipts. */
export async function showJobs(values: OptionValues, [id, ...more]: readonly string[]): Promise<number> {
  if (more.length > 0)
    throw new UsageError(`tenants jobs: expected the id of one job, got "${[id, ...more].join(" ")}"`);
  if (id === undefined) {
    const { jobs } = (await askController(values, `${jobsPath}?limit=${pageLength}`)) as { jobs: TenantJobView[] };
    if (values["json"] === true) console.log(JSON.stringify({ jobs }, null, 2));
    else if (jobs.length === 0) console.log("there are no jobs");
    else {
      const rows = jobs.map((job) => [
        job.id,
        job.kind,
        job.tenant,
        job.state,
        String(job.waiting),
        timeToText(job.createdMs),
      ]);
      console.log(formatTable(["JOB", "KIND", "TENANT", "STATE", "WAITING FOR", "BEGUN"], rows));
    }
    return 0;
  }
  if (!/^[0-9a-z]{8}$/.test(id))
    throw new UsageError(`tenants jobs: expected the id of a job, 8 letters and digits, got "${id}"`);
  const { job } = (await askController(values, `${jobsPath}/${id}?limit=1`)) as JobAnswer;
  const receipts: TenantReceipt[] = [];
  for await (const receipt of receiptsOf(values, id)) receipts.push(receipt);
  if (values["json"] === true) {
    console.log(JSON.stringify({ job, receipts }, null, 2));
    return 0;
  }
  console.log(cleanText(jobToText(job)));
  const rows = receipts.flatMap(({ of, state, stores }) =>
    stores.length === 0
      ? [[of, "", state, ""]]
      : stores.map(({ store, fate, records }) => [of, store, fate, String(records)]),
  );
  if (rows.length > 0)
    console.log(
      formatTable(
        ["OF", "STORE", "FATE", "RECORDS"],
        rows.map((row) => row.map(cleanText)),
      ),
    );
  return 0;
}
