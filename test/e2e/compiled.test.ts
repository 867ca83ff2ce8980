import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { expectServesAlone } from "./alone.ts";
import { programCommand, startProgram, temporaryDirectory } from "./program.ts";

const binary = process.env["THORMESH_BINARY"];

describe.if(binary !== undefined)("the compiled executable", () => {
  test("copied alone into an empty directory it serves vectors that match the reference", async () => {
    await expectServesAlone(binary as string);
  });

  test("it is not changed by what lies in the directory it is started in", async () => {
    const directory = temporaryDirectory();
    await Bun.write(
      join(directory.path, ".env"),
      "THORMESH_CACHE_DIR=/proc/nowhere\nTHORMESH_ONNXRUNTIME_DIR=/proc/nowhere\n",
    );
    await Bun.write(join(directory.path, "bunfig.toml"), 'preload = ["./not-there.ts"]\n');
    const child = Bun.spawn([...programCommand, "embed", "hello", "--json"], {
      cwd: directory.path,
      stdout: "pipe",
      stderr: "pipe",
    });
    const output = await new Response(child.stdout).text();
    expect(await child.exited).toBe(0);
    expect(JSON.parse(output).dimension).toBe(384);
    directory.remove();
  });
});

describe("usage", () => {
  test.each([
    ["no command", [], 2, "Usage: thormesh COMMAND"],
    ["help", ["--help"], 0, "Usage: thormesh COMMAND"],
    ["an unknown command", ["serve"], 2, 'no command "serve"'],
    ["an unknown option", ["agent", "--prot", "1"], 2, "--prot"],
    ["a command's help", ["agent", "--help"], 0, "--listen HOST:PORT"],
    ["a bad address", ["agent", "--listen", "here"], 2, "--listen: expected HOST:PORT"],
    ["an open address without a key", ["agent", "--listen", "0.0.0.0:0"], 2, "--insecure"],
    ["a configuration file that is not there", ["agent", "--config", "none.yaml"], 2, "none.yaml"],
    ["a board that does not exist", ["agent", "--board", "toaster"], 2, "power.board"],
  ])("%s", async (_name, args, exitCode, text) => {
    const directory = temporaryDirectory();
    const program = startProgram([...args], directory.path);
    const output = new Response(program.child.stdout).text();
    expect(await program.child.exited).toBe(exitCode);
    expect((await output) + program.log()).toContain(text);
    directory.remove();
  });

  test("all errors of a configuration file at once", async () => {
    const directory = temporaryDirectory();
    await Bun.write(join(directory.path, "a.yaml"), "fleet: 'a b'\nbrokr: {}\nserving: {port: eighty}\n");
    const program = startProgram(["agent", "--config", "a.yaml"], directory.path);
    expect(await program.child.exited).toBe(2);
    for (const text of ["fleet", "brokr: unknown field; did you mean broker?", "serving.port", '"eighty"'])
      expect(program.log()).toContain(text);
    directory.remove();
  });

  test("a port in use ends with 2 and names the port", async () => {
    const directory = temporaryDirectory();
    const holder = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    const program = startProgram(
      ["agent", "--listen", `127.0.0.1:${holder.port}`, "--state-dir", directory.path],
      directory.path,
    );
    expect(await program.child.exited).toBe(2);
    expect(program.log()).toContain(`port ${holder.port}`);
    await holder.stop(true);
    directory.remove();
  });
});
