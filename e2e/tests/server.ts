// A real `tallyboard serve` for a test: started on a free port, ended by its process id.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_TIMEOUT_MS = 30_000;
const INGEST_TOKEN = "only-for-tests";

function binary(): string {
  const path = process.env.TALLYBOARD_BIN;
  if (!path) {
    throw new Error("TALLYBOARD_BIN must be the path of the `tallyboard` binary to test");
  }
  return path;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => probe.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

/** A server that can die and come back on the same port, with the same data. */
export class Server {
  private process: ChildProcess | undefined;
  private log = "";

  private constructor(
    private readonly port: number,
    private readonly dataDir: string,
    private readonly flags: readonly string[],
  ) {}

  static async start(...flags: string[]): Promise<Server> {
    const server = new Server(await freePort(), await mkdtemp(join(tmpdir(), "tallyboard-e2e-")), flags);
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the process and waits until it is ready to serve. */
  async run(): Promise<void> {
    const args = ["serve", "--listen", `127.0.0.1:${this.port}`, "--data-dir", this.dataDir, ...this.flags];
    const env = { ...process.env, TALLYBOARD_INGEST_TOKEN: INGEST_TOKEN };
    const child = spawn(binary(), args, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    let failure: Error | undefined;
    child.once("error", (error) => (failure = error));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (this.log = (this.log + chunk.toString()).slice(-20_000)));
    }
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline) {
      if (failure) throw failure;
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${this.log}`);
      const ready = await fetch(`${this.url}/readyz`).then((answer) => answer.ok, () => false);
      if (ready) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the server wasn't ready within ${START_TIMEOUT_MS} ms:\n${this.log}`);
  }

  /** Hands votes in; throws where one isn't taken. */
  async vote(votes: object[]): Promise<void> {
    const answer = await fetch(`${this.url}/api/v1/votes`, {
      method: "POST",
      headers: { authorization: `Bearer ${INGEST_TOKEN}`, "content-type": "application/x-ndjson" },
      body: votes.map((vote) => JSON.stringify(vote)).join("\n"),
    });
    const text = await answer.text();
    if (!answer.ok || JSON.parse(text).accepted !== votes.length) throw new Error(`${answer.status}: ${text}`);
  }

  /** Ends the process without warning. */
  async kill(): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** Ends the process and removes its data. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
