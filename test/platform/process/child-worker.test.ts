import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import {
  type ChildWorker,
  type ChildWorkerOptions,
  type OpenQuestion,
  startChildWorker,
} from "#platform/process/child-worker.ts";
import { isProcessStopped } from "#platform/process/is-process-stopped.ts";

setDefaultTimeout(60_000);

interface Asked extends OpenQuestion {
  resolve(answer: unknown): void;
}
const running: ChildWorker<Asked>[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((worker) => worker.stop(0)));
});

const longMs = 60_000;
/** Answers each question with what it says; some make it end, stop or stay silent. */
const answering = `
  process.on("disconnect", () => process.exit(0));
  process.on("message", ({ id, say }) => {
    if (say === "exit") process.exit(3);
    if (say === "stop") process.kill(process.pid, "SIGSTOP");
    if (say !== "nothing") process.send({ id, answer: say });
  });
  process.send("ready");`;

/** Memory of which the kernel kills as often as the test says. */
const killing = { kills: 0, count: () => killing.kills, limitBytes: () => 550_000_000 };

describe("a process that is killed", () => {
  const fresh = (options: Partial<ChildWorkerOptions> = {}) =>
    start(answering, { memoryKills: killing, minDeadlineMs: 600_000, ...options });

  test("while the kernel kills for want of memory: the reason names what it needs and the limit", async () => {
    const { worker, ask } = await fresh({ neededBytes: 620_000_000 });
    const answer = ask("nothing");
    killing.kills += 1;
    process.kill(worker.pid, "SIGKILL");
    const reason = expect.stringMatching(
      /^was killed for lack of memory \(it needs some 620 MB; .*the limit for all processes together is 550 MB\)$/,
    );
    expect(await worker.lost).toEqual({ cause: "memory", reason });
    await expect(answer).rejects.toThrow("was killed for lack of memory");
  });

  test.each([
    { name: "by somebody", signal: "SIGKILL", kills: 0 },
    { name: "otherwise, while the kernel kills another one", signal: "SIGTERM", kills: 1 },
  ] as const)("$name: the reason is the signal", async ({ signal, kills }) => {
    const { worker } = await fresh();
    killing.kills += kills;
    process.kill(worker.pid, signal);
    expect(await worker.lost).toEqual({ cause: "signal", reason: `was ended by ${signal}` });
  });

  test("by somebody, long after the kernel has killed another one", async () => {
    let looks = 0;
    const count = () => {
      looks += 1;
      return looks <= 2 ? 0 : 1;
    };
    const counted = { ...killing, count };
    const { worker } = await start(answering, { memoryKills: counted, minDeadlineMs: 200 });
    while (looks < 5) await Bun.sleep(5);
    process.kill(worker.pid, "SIGKILL");
    expect((await worker.lost).cause).toBe("signal");
  });

  test.if(existsSync("/proc/self/oom_score_adj"))("the kernel takes it sooner than this process", async () => {
    const { worker } = await fresh();
    const score = (pid: number | "self") => Number(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8"));
    expect(score(worker.pid)).toBeGreaterThan(score("self"));
  });
});

/** Starts a worker and records what it reports. */
async function start(code: string, options: Partial<ChildWorkerOptions> = {}) {
  const hangs: string[] = [];
  const messages: unknown[] = [];
  const ready = Promise.withResolvers<void>();
  const worker: ChildWorker<Asked> = startChildWorker<Asked>({
    command: [process.execPath, "-e", code],
    minDeadlineMs: 200,
    onHang: (reason) => hangs.push(reason),
    lostError: (reason, pid) => new Error(`worker ${pid} ${reason}`),
    onMessage(message) {
      if (message === "ready") return ready.resolve();
      messages.push(message);
      const { id, answer } = message as { id: number; answer: unknown };
      const asked = worker.question(id);
      worker.answered(id);
      asked?.resolve(answer);
    },
    ...options,
  });
  running.push(worker);
  await Promise.race([ready.promise, worker.lost]);
  const ask = (say: unknown, deadlineMs = longMs) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    promise.catch(() => {});
    worker.ask({ deadlineMs: () => deadlineMs, resolve, reject }, (id) => worker.send({ id, say }));
    return promise;
  };
  return { worker, ask, hangs, messages };
}

const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");

test("questions are answered, several at once", async () => {
  const { worker, ask } = await start(answering);
  expect(await Promise.all([ask("one"), ask(new Float32Array([2])), ask(3)])).toEqual([
    "one",
    new Float32Array([2]),
    3,
  ]);
  expect({ loss: worker.loss, answers: worker.answers() }).toEqual({ loss: null, answers: true });
});

describe("a process that is lost", () => {
  test.each([
    { name: "ends", end: (ask: (say: string) => unknown) => void ask("exit"), cause: "exit", reason: "ended with 3" },
    {
      name: "is killed from outside",
      end: (_ask: unknown, pid: number) => void process.kill(pid, "SIGTERM"),
      cause: "signal",
      reason: "was ended by SIGTERM",
    },
  ] as const)("$name: its questions fail with the reason, later ones at once", async ({ end, cause, reason }) => {
    const { worker, ask, hangs } = await start(answering);
    const open = ask("nothing");
    end(ask, worker.pid);
    await expect(open).rejects.toThrow(`worker ${worker.pid} ${reason}`);
    expect(await worker.lost).toEqual({ cause, reason });
    expect(worker.loss).toEqual({ cause, reason });
    await expect(ask("one")).rejects.toThrow(`worker ${worker.pid} ${reason}`);
    expect({ hangs, answers: worker.answers() }).toEqual({ hangs: [], answers: false });
  });

  test("keeps the first reason", async () => {
    const { worker, hangs } = await start(answering);
    worker.drop("sent nonsense");
    worker.drop("sent more of it");
    worker.hang("gave no answer");
    await worker.stop();
    expect(hangs).toEqual([]);
    expect(await worker.lost).toEqual({ cause: "dropped", reason: "sent nonsense" });
    expect(isAlive(worker.pid)).toBe(false);
  });

  test("reports nothing any more", async () => {
    const { worker, messages } = await start(`setInterval(() => process.send({ id: 9 }), 1); process.send("ready");`);
    while (messages.length === 0) await Bun.sleep(1);
    worker.drop("was stopped");
    const before = messages.length;
    await worker.stop();
    await Bun.sleep(20);
    expect(messages).toHaveLength(before);
  });

  test("a command that does not exist is an error at once", () => {
    const options = { command: ["/nowhere/at-all"], minDeadlineMs: 200, lostError: () => new Error() };
    expect(() => startChildWorker(options)).toThrow("/nowhere/at-all");
  });
});

describe("a process that hangs is killed", () => {
  test("because it does not answer in time", async () => {
    const { worker, ask, hangs } = await start(answering);
    const open = ask("nothing", 100);
    await expect(open).rejects.toThrow(/gave no answer for \d+ ms: killed/);
    expect(await worker.lost).toMatchObject({ cause: "hang" });
    expect(hangs).toEqual([expect.stringMatching(/^gave no answer for \d+ ms: killed$/)]);
    await worker.stop();
    expect(isAlive(worker.pid)).toBe(false);
  });

  test("in its owner's words", async () => {
    const { worker, hangs } = await start(answering, { silenceToText: () => "is silent" });
    worker.watch.begin(100);
    expect(await worker.lost).toEqual({ cause: "hang", reason: "is silent: killed" });
    expect(hangs).toEqual(["is silent: killed"]);
  });

  test("because a signal stopped it", async () => {
    const { worker, ask, hangs } = await start(answering);
    const open = ask("stop");
    await expect(open).rejects.toThrow("was stopped by a signal and not resumed: killed");
    expect(hangs).toHaveLength(1);
    await worker.stop();
    expect(isAlive(worker.pid)).toBe(false);
  });

  test("but not while it may be stopped: it does not answer, though", async () => {
    const { worker, ask, hangs } = await start(answering, { maxStoppedMs: longMs });
    void ask("stop");
    while (worker.answers()) await Bun.sleep(1);
    await Bun.sleep(200);
    expect({ hangs, loss: worker.loss }).toEqual({ hangs: [], loss: null });
    process.kill(worker.pid, "SIGCONT");
    while (!worker.answers()) await Bun.sleep(1);
    expect(await ask("one")).toBe("one");
  });

  test("by the clock that its owner gives", async () => {
    let clockMs = 0;
    const { worker, ask } = await start(answering, { clockMs: () => clockMs });
    void ask("nothing", 30);
    await Bun.sleep(100);
    expect(worker.answers()).toBe(true);
    clockMs += 20;
    while (worker.answers()) await Bun.sleep(1);
    expect(worker.loss).toBeNull();
    clockMs += 20;
    expect((await worker.lost).cause).toBe("hang");
  });
});

describe("deadlines", () => {
  test("each question has its own from the answer before it; a late answer is as good as none", async () => {
    const asked: string[] = [];
    const { worker } = await start(answering);
    const question = (name: string): Asked => ({
      deadlineMs() {
        asked.push(name);
        return longMs;
      },
      resolve() {},
      reject() {},
    });
    const ids: number[] = [];
    for (const name of ["first", "second", "third"]) worker.ask(question(name), (id) => ids.push(id));
    expect(asked).toEqual(["first"]);
    worker.answered(ids[0] as number);
    expect(asked).toEqual(["first", "second"]);
    worker.answered(ids[0] as number);
    expect(asked).toEqual(["first", "second"]);
    worker.answered(ids[1] as number);
    worker.answered(ids[2] as number);
    expect(asked).toEqual(["first", "second", "third"]);
    expect(ids.map((id) => worker.question(id))).toEqual([undefined, undefined, undefined]);
  });

  test("end with the last answer: an idle process is not silent", async () => {
    const idle: number[] = [];
    const { worker, ask } = await start(answering, { onIdle: (idleMs) => idle.push(idleMs) });
    expect(await ask("one", 60_000)).toBe("one");
    while (idle.length < 5) await Bun.sleep(5);
    expect(worker.answers()).toBe(true);
  });

  test("a question that can't be sent fails alone", async () => {
    const { worker, ask } = await start(answering);
    await expect(ask(() => {}, 100)).rejects.toThrow(`process ${worker.pid} accepts no requests`);
    await Bun.sleep(200);
    expect(await ask("one")).toBe("one");
  });
});

describe("the end of the connection", () => {
  test("ends the process by itself within the grace", async () => {
    const { worker } = await start(`process.on("disconnect", () => process.exit(0)); process.send("ready");`);
    await worker.stop(longMs);
    expect({ loss: worker.loss, alive: isAlive(worker.pid) }).toEqual({
      loss: { cause: "dropped", reason: "was stopped" },
      alive: false,
    });
  });

  test("is followed by a kill where the process stays", async () => {
    const { worker } = await start(`setInterval(() => {}, 1000); process.send("ready");`);
    await worker.stop(50);
    expect(isAlive(worker.pid)).toBe(false);
  });

  test("is the owner's where it has one of its own", async () => {
    let closed = 0;
    const { worker } = await start(answering, { disconnect: () => (closed += 1) });
    worker.drop("was stopped");
    await worker.stop();
    expect(closed).toBe(1);
  });
});

describe("a process gets", () => {
  test("no secrets of this process, and the variables that it needs", async () => {
    process.env["THORMESH_API_KEY"] = "secret";
    try {
      const { ask } = await start(
        `process.on("message", ({ id }) => process.send({ id, answer: [process.env.THORMESH_API_KEY, process.env.PATH, process.env.EXTRA] })); process.send("ready");`,
        { environment: { EXTRA: "given" } },
      );
      expect(await ask("environment")).toEqual([undefined, process.env["PATH"], "given"]);
    } finally {
      delete process.env["THORMESH_API_KEY"];
    }
  });

  test("a niceness", async () => {
    const { worker } = await start(answering, { niceness: 5 });
    const stat = readFileSync(`/proc/${worker.pid}/stat`, "utf8");
    expect(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]).toBe("5");
  });
});

describe("a process that its owner pauses", () => {
  test("computes nothing until it is resumed, and is not taken for one that hangs", async () => {
    const { worker, ask, hangs } = await start(answering, { maxStoppedMs: 1 });
    worker.pause();
    while (!isProcessStopped(worker.pid)) await Bun.sleep(1);
    let answered = false;
    const answer = ask("later", 200).then((said) => {
      answered = true;
      return said;
    });
    // Twice its deadline, by the watch's own ticks of 20 ms.
    for (let tick = 0; tick < 20; tick += 1) await Bun.sleep(20);
    expect([answered, worker.answers(), hangs]).toEqual([false, true, []]);
    worker.resume();
    expect(await answer).toBe("later");
    expect(hangs).toEqual([]);
  });

  test("ends all the same", async () => {
    const { worker } = await start(answering);
    worker.pause();
    while (!isProcessStopped(worker.pid)) await Bun.sleep(1);
    await worker.stop(longMs);
    expect(isAlive(worker.pid)).toBe(false);
  });
});

test("all lines of a process come before its end is reported", async () => {
  const lines: string[] = [];
  const errorLines: string[] = [];
  const worker = startChildWorker({
    command: [process.execPath, "-e", `console.error("a problem"); console.log("one\\ntwo"); process.exit(0);`],
    minDeadlineMs: 200,
    lostError: (reason) => new Error(reason),
    onLine: (line) => lines.push(line),
    onErrorLine: (line) => errorLines.push(line),
  });
  expect(await worker.lost).toEqual({ cause: "exit", reason: "ended with 0" });
  expect(lines).toEqual(["one", "two"]);
  while (errorLines.length === 0) await Bun.sleep(1);
  expect(errorLines).toEqual(["a problem"]);
});

test("the end of a process is judged when all that it has sent elsewhere is read", async () => {
  const startEnding = (readToEnd: () => Promise<void>) =>
    startChildWorker({
      command: [process.execPath, "-e", "process.exit(1)"],
      minDeadlineMs: 200,
      lostError: (reason) => new Error(reason),
      readToEnd,
    });
  const read = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const telling = startEnding(() => {
    ended.resolve();
    return read.promise;
  });
  await ended.promise;
  expect(telling.loss).toBeNull();
  telling.drop("has no memory");
  read.resolve();
  expect(await telling.lost).toEqual({ cause: "dropped", reason: "has no memory" });
  const silent = startEnding(() => Promise.resolve());
  expect(await silent.lost).toEqual({ cause: "exit", reason: "ended with 1" });
});
