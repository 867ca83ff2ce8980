import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { type CarriedFile, cacheDirectories, extractFiles } from "#agent/serving/onnxruntime/extract-libraries.ts";
import { loadBinding } from "#agent/serving/onnxruntime/load-binding.ts";

let directory: string;
let file: CarriedFile;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-extract-"));
  const embeddedPath = join(directory, "embedded");
  writeFileSync(embeddedPath, Bun.zstdCompressSync("library content"));
  const xxHash64 = Bun.hash.xxHash64("library content").toString(16);
  file = { name: "lib.so.1", embeddedPath, branches: "x64", bytes: 15, xxHash64 };
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const target = () => join(directory, "cache", "lib");

describe("extractFiles", () => {
  test("lays a file down once, executable, without leftovers", () => {
    extractFiles(target(), [file]);
    const path = join(target(), "lib.so.1");
    const firstTime = statSync(path).mtimeMs;
    expect(readFileSync(path, "utf8")).toBe("library content");
    expect(statSync(path).mode & 0o100).toBe(0o100);
    extractFiles(target(), [file]);
    expect(statSync(path).mtimeMs).toBe(firstTime);
    expect(readdirSync(target())).toEqual(["lib.so.1"]);
  });

  test("a directory above that only its owner can write to keeps its mode; its own is closed to others", () => {
    chmodSync(directory, 0o755);
    mkdirSync(join(directory, "cache"), { mode: 0o755 });
    mkdirSync(target(), { mode: 0o701 });
    extractFiles(target(), [file]);
    expect(statSync(join(directory, "cache")).mode & 0o777).toBe(0o755);
    expect(statSync(target()).mode & 0o777).toBe(0o700);
  });

  test("what can't be written is an error, and leaves nothing", () => {
    expect(() => extractFiles(target(), [{ ...file, name: "no-such-directory/lib.so.1" }])).toThrow("ENOENT");
    expect(readdirSync(target())).toEqual([]);
  });

  test.each([
    ["cut short", "library"],
    ["changed at the same size", "library CONTENT"],
    ["empty", ""],
  ])("a file that was %s is replaced", (_name, damaged) => {
    extractFiles(target(), [file]);
    writeFileSync(join(target(), "lib.so.1"), damaged);
    extractFiles(target(), [file]);
    expect(readFileSync(join(target(), "lib.so.1"), "utf8")).toBe("library content");
  });

  test.each<[string, boolean, (path: string) => void]>([
    ["a pipe", false, (path) => void Bun.spawnSync(["mkfifo", path])],
    ["a directory", false, (path) => mkdirSync(join(path, "inside"), { recursive: true })],
    ["a device", false, (path) => symlinkSync("/dev/zero", path)],
    ["a link to nowhere", false, (path) => symlinkSync("/nowhere/at/all", path)],
    [
      "a file that others may change, right for now",
      false,
      (path) => {
        writeFileSync(path, "library content");
        chmodSync(path, 0o666);
      },
    ],
    [
      "another user's file, right for now",
      true,
      (path) => {
        writeFileSync(path, "library content");
        chownSync(path, 65_534, 65_534);
      },
    ],
  ])("%s in a library's place is replaced", (_name, asRoot, put) => {
    if (asRoot && userInfo().uid !== 0) return;
    extractFiles(target(), [file]);
    const path = join(target(), "lib.so.1");
    rmSync(path);
    put(path);
    extractFiles(target(), [file]);
    expect(readFileSync(path, "utf8")).toBe("library content");
    expect(lstatSync(path)).toMatchObject({ uid: userInfo().uid });
    expect(lstatSync(path).isFile()).toBe(true);
    expect(lstatSync(path).mode & 0o022).toBe(0);
    expect(readdirSync(target())).toEqual(["lib.so.1"]);
  });

  test("a directory that others may write to is closed to them", () => {
    mkdirSync(target(), { recursive: true });
    chmodSync(target(), 0o777);
    extractFiles(target(), [file]);
    expect(statSync(target()).mode & 0o022).toBe(0);
  });

  describe("in a place where everybody may create names", () => {
    const shared = () => join(directory, "shared");
    beforeEach(() => {
      mkdirSync(shared());
      chmodSync(shared(), 0o1777);
    });

    test("what lies between it and the libraries is closed to others too", () => {
      mkdirSync(join(shared(), "mine"));
      chmodSync(join(shared(), "mine"), 0o777);
      extractFiles(join(shared(), "mine", "lib"), [file]);
      expect(statSync(join(shared(), "mine")).mode & 0o022).toBe(0);
    });

    // Only root can make somebody else's directory.
    test.if(userInfo().uid === 0)("another user's directory is not used", () => {
      mkdirSync(join(shared(), "theirs"));
      chownSync(join(shared(), "theirs"), 65_534, 65_534);
      expect(() => extractFiles(join(shared(), "theirs", "lib"), [file])).toThrow(/theirs belongs to another user/);
      expect(readdirSync(join(shared(), "theirs"))).toEqual([]);
    });

    test.if(userInfo().uid === 0)("another user's link to a directory of ours is not followed", () => {
      mkdirSync(join(directory, "ours"));
      symlinkSync(join(directory, "ours"), join(shared(), "link"));
      lchownSync(join(shared(), "link"), 65_534, 65_534);
      expect(() => extractFiles(join(shared(), "link", "lib"), [file])).toThrow(/link belongs to another user/);
    });
  });

  test("several processes at once end with one intact file", async () => {
    const script = `
      import { extractFiles } from ${JSON.stringify(join(import.meta.dir, "../../../../agent/serving/onnxruntime/extract-libraries.ts"))};
      extractFiles(${JSON.stringify(target())}, [${JSON.stringify(file)}]);
    `;
    const children = Array.from({ length: 6 }, () =>
      Bun.spawn([process.execPath, "-e", script], { stderr: "inherit" }),
    );
    expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(readdirSync(target())).toEqual(["lib.so.1"]);
    expect(readFileSync(join(target(), "lib.so.1"), "utf8")).toBe("library content");
  });
});

test.each([
  [{ THORMESH_CACHE_DIR: "/c", HOME: "/h" }, ["/c"]],
  [{ CACHE_DIRECTORY: "/var/cache/t", XDG_CACHE_HOME: "/x" }, ["/var/cache/t", "/x/thormesh"]],
  [{}, []],
])("with %p the cache is looked for in %p, the temporary directory and memory last", (environment, expected) => {
  const last =
    "THORMESH_CACHE_DIR" in environment
      ? []
      : [tmpdir(), ...(existsSync("/dev/shm") ? ["/dev/shm"] : [])].map((place) =>
          join(place, `thormesh-${userInfo().uid}`),
        );
  expect(cacheDirectories(environment)).toEqual([...expected, ...last]);
});

describe("loadBinding", () => {
  const before = { ...process.env };
  afterEach(() => {
    for (const name of ["THORMESH_ONNXRUNTIME_DIR", "THORMESH_CACHE_DIR"]) {
      const value = before[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  test("an operator's directory without the libraries is named, with what is missing", () => {
    process.env["THORMESH_ONNXRUNTIME_DIR"] = directory;
    expect(() => loadBinding("x", [])).toThrow(`in ${directory}, got none of ONNX Runtime's files`);
  });

  test("an operator's directory is used as it is", () => {
    process.env["THORMESH_ONNXRUNTIME_DIR"] = join(
      import.meta.dir,
      "../../../../node_modules/onnxruntime-node/bin/napi-v6/linux",
      process.arch,
    );
    expect(typeof loadBinding("x", []).initOrtOnce).toBe("function");
  });

  test("a cache that can't be written to is named with the reason", () => {
    process.env["THORMESH_CACHE_DIR"] = join(file.embeddedPath, "below-a-file");
    expect(() => loadBinding("x", [file])).toThrow(/below-a-file.*ENOTDIR/);
  });
});
