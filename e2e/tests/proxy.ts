// A reverse proxy that puts a server below a path and takes the path away again, WebSocket included; what it doesn't
// pass on it refuses.

import { createServer, request, type IncomingMessage, type Server } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";

export class Proxy {
  private constructor(
    private readonly server: Server,
    readonly url: string,
    private readonly open: Set<Duplex>,
  ) {}

  static async start(target: string, path: string, passed: RegExp): Promise<Proxy> {
    const { hostname, port } = new URL(target);
    const strip = (url = "/") => (url.startsWith(`${path}/`) ? url.slice(path.length) : undefined);
    const server = createServer((asked, answer) => {
      const stripped = strip(asked.url);
      if (stripped === undefined) return void answer.writeHead(404).end();
      if (!passed.test(stripped)) return void answer.writeHead(403).end();
      const onward = request({ hostname, port, path: stripped, method: asked.method, headers: asked.headers }, (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers);
        got.pipe(answer);
      });
      onward.on("error", () => answer.destroy());
      asked.pipe(onward);
    });
    const open = new Set<Duplex>();
    server.on("upgrade", (asked: IncomingMessage, socket: Duplex) => {
      if (!passed.test(strip(asked.url) ?? "/")) return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      const upstream = connect(Number(port), hostname, () => {
        const headers = asked.rawHeaders.reduce((text, part, index) => text + part + (index % 2 ? "\r\n" : ": "), "");
        upstream.write(`GET ${strip(asked.url) ?? "/"} HTTP/1.1\r\n${headers}\r\n`);
        upstream.pipe(socket).pipe(upstream);
      });
      for (const end of [upstream, socket]) {
        open.add(end);
        end.on("error", () => end.destroy());
        end.on("close", () => open.delete(end));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port was given");
    return new Proxy(server, `http://127.0.0.1:${address.port}${path}`, open);
  }

  stop(): void {
    for (const socket of this.open) socket.destroy();
    this.server.close();
    this.server.closeAllConnections();
  }
}
