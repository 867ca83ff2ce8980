import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** File of a repository, with the faults the hub makes when serving it. */
export interface HubFakeFile {
  readonly content: Uint8Array;
  /** Large files are LFS objects, for which the hub gives the sha256; for others it gives the git object id. */
  readonly lfs?: boolean;
  /** Cuts the connection after `after` bytes, once the client has them (`cutHeld`), or at once after 0; the first `times` times. */
  cut?: { after: number; times: number };
  /** Sends these bytes instead, the first `times` times. */
  wrong?: { content: Uint8Array; times: number };
  /** Answers with this status instead, the first `times` times. */
  status?: { code: number; times: number; headers?: Record<string, string> };
  /** Falls silent after `after` bytes, the first `times` times. */
  stall?: { after: number; times: number };
}

export interface HubFakeOptions {
  /** Repositories by name, files by path. */
  readonly repos: Readonly<Record<string, Record<string, HubFakeFile>>>;
  /** Answers 401 to requests without it. */
  token?: string;
  /** Acts as a plain file server: no list of files, and only the length of a file. */
  plain?: boolean;
  /** Serves whole files only. */
  refuseRanges?: boolean;
  /** Sends no ETag. */
  noEtag?: boolean;
  /** Number of times the list of files is refused with 429. */
  busy?: { times: number };
  /** Redirects files to another server. */
  cdn?: boolean;
  /** Redirects every file to itself. */
  loop?: boolean;
  /** Called before each answer; may change the files. */
  onRequest?: (path: string) => void;
}

export interface HubRequest {
  readonly server: "hub" | "cdn";
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
}

export interface HubFake {
  readonly url: string;
  readonly requests: HubRequest[];
  readonly options: HubFakeOptions;
  /** Cuts the connections that have received their bytes. */
  cutHeld(): void;
  stop(): Promise<void>;
}

export const commit = "0123456789abcdef0123456789abcdef01234567";
const hex = (algorithm: "sha256" | "sha1", ...parts: (string | Uint8Array)[]) => {
  const hash = new Bun.CryptoHasher(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};
const sha256 = (content: Uint8Array) => hex("sha256", content);
const gitSha1 = (content: Uint8Array) => hex("sha1", `blob ${content.length}\0`, content);

/** Uses up one occurrence of a fault; false if none was left. */
function due(misbehaviour: { times: number } | undefined): boolean {
  if (misbehaviour === undefined || misbehaviour.times === 0) return false;
  misbehaviour.times -= 1;
  return true;
}

function listing(repo: string, files: Record<string, HubFakeFile>) {
  return {
    id: repo,
    sha: commit,
    tags: ["sentence-similarity", "license:apache-2.0"],
    siblings: Object.entries(files).map(([path, { content, lfs }]) => ({
      rfilename: path,
      size: content.length,
      blobId: gitSha1(content),
      ...(lfs === true ? { lfs: { sha256: sha256(content), size: content.length, pointerSize: 135 } } : {}),
    })),
  };
}

/** Stands in for Hugging Face's hub: its addresses, headers and redirects, with real faults on real connections. */
export async function startHub(options: HubFakeOptions): Promise<HubFake> {
  const requests: HubRequest[] = [];
  const servers: Server[] = [];
  let cdnUrl = "";
  const held: ServerResponse[] = [];

  const sendFile = (file: HubFakeFile, request: IncomingMessage, response: ServerResponse, etag: string | null) => {
    const content = due(file.wrong) ? (file.wrong?.content as Uint8Array) : file.content;
    const range = /^bytes=(\d+)-$/.exec(request.headers["range"] ?? "");
    const ifRange = request.headers["if-range"];
    const fresh = ifRange === undefined || ifRange === etag;
    const partial = range !== null && fresh && options.refuseRanges !== true;
    const from = partial ? Number(range[1]) : 0;
    const headers: Record<string, string | number> = { ...(etag === null ? {} : { etag }) };
    if (partial && from >= content.length) {
      response.writeHead(416, { "content-range": `bytes */${content.length}`, "content-length": 0 });
      response.end();
      return;
    }
    if (partial) headers["content-range"] = `bytes ${from}-${content.length - 1}/${content.length}`;
    const body = content.subarray(from);
    response.writeHead(partial ? 206 : 200, { ...headers, "content-length": body.length });
    const cut = due(file.cut) ? file.cut : undefined;
    const stall = cut === undefined && due(file.stall) ? file.stall : undefined;
    const stopAt = cut?.after ?? stall?.after;
    if (stopAt === undefined) {
      response.end(body);
      return;
    }
    if (stopAt > 0) response.write(body.subarray(0, stopAt));
    else response.flushHeaders();
    if (cut === undefined) return;
    if (stopAt > 0) held.push(response);
    else response.socket?.destroy();
  };

  const handle = (server: "hub" | "cdn") => (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? "/", "http://hub");
    const path = decodeURIComponent(pathname);
    const { authorization, range } = request.headers;
    const ifRange = request.headers["if-range"] as string | undefined;
    requests.push({ server, path, range, ifRange, authorization });
    options.onRequest?.(path);
    const answer = (status: number, body: object | string, headers: Record<string, string> = {}) => {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      response.writeHead(status, { "content-length": Buffer.byteLength(text), ...headers });
      response.end(text);
    };
    if (server === "hub" && options.token !== undefined && authorization !== `Bearer ${options.token}`)
      return answer(401, { error: "Invalid credentials" }, { "x-error-code": "RepoNotFound" });
    const info = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(path);
    const resolved = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const repo = options.repos[info?.[1] ?? resolved?.[1] ?? ""];
    if (options.plain === true && info !== null) return answer(404, "<html>no such page</html>");
    if (repo === undefined) return answer(404, { error: "Repository not found" }, { "x-error-code": "RepoNotFound" });
    const revision = info?.[2] ?? resolved?.[2];
    if (revision !== "main" && revision !== commit)
      return answer(404, { error: "Invalid rev id" }, { "x-error-code": "RevisionNotFound" });
    if (info !== null && due(options.busy)) return answer(429, "slow down", { "retry-after": "7" });
    if (info !== null) return answer(200, listing(info[1] as string, repo));
    const file = repo[resolved?.[3] ?? ""];
    if (file === undefined) return answer(404, "Entry not found", { "x-error-code": "EntryNotFound" });
    if (due(file.status)) return answer(file.status?.code as number, "no", file.status?.headers);
    if (options.loop === true) return answer(302, "", { location: request.url ?? "/" });
    const lfs = file.lfs === true;
    const hash = `"${lfs ? sha256(file.content) : gitSha1(file.content)}"`;
    const etag =
      options.noEtag === true ? null : server === "cdn" ? `"cdn-${sha256(file.content).slice(0, 16)}"` : hash;
    if (server === "hub" && options.cdn === true) {
      return answer(302, "", {
        location: `${cdnUrl}${pathname}`,
        "x-repo-commit": commit,
        "x-linked-etag": hash,
        "x-linked-size": String(file.content.length),
      });
    }
    if (server === "hub" && options.plain !== true) response.setHeader("x-repo-commit", commit);
    sendFile(file, request, response, options.plain === true ? null : etag);
  };

  const listen = async (server: "hub" | "cdn") => {
    const http = createServer(handle(server));
    servers.push(http);
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  };
  cdnUrl = await listen("cdn");
  const url = await listen("hub");
  return {
    url,
    requests,
    options,
    cutHeld() {
      for (const response of held.splice(0)) response.socket?.destroy();
    },
    async stop() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }
    },
  };
}
