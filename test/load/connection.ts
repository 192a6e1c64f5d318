// A keep-alive connection with one request under way: fetch() would take more time than what is measured.
export interface Answer {
  status: number;
  header(name: string): string | undefined;
  text: string;
}

export interface Request {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

const PATIENCE_MS = 60_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1"); // a character is a byte, so that lengths are lengths

export class Connection {
  #buffer = new Uint8Array(16_384);

  private constructor(private connection: Deno.Conn, private host: string) {}

  static async open(url: string): Promise<Connection> {
    const { hostname, port, host } = new URL(url);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connection.setNoDelay(true);
    return new Connection(connection, host);
  }

  async send({ method, path, headers, body = "" }: Request): Promise<void> {
    const all = { host: this.host, ...headers, ...(body && { "content-length": body.length }) };
    const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const bytes = encoder.encode(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`);
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.connection.write(bytes.subarray(sent));
    }
  }

  /** Throws when the connection ends, or no answer comes: nobody knows then what became of the request. */
  async exchange(request: Request): Promise<Answer> {
    const timer = setTimeout(() => this.close(), PATIENCE_MS);
    try {
      await this.send(request);
      for (let length = 0;;) {
        if (length === this.#buffer.length) this.#grow();
        const read = await this.connection.read(this.#buffer.subarray(length));
        if (!read) throw new Error("the connection ended");
        const answer = parse(decoder.decode(this.#buffer.subarray(0, length += read)));
        if (answer) return answer;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    try {
      this.connection.close();
    } catch {
      // It was closed already.
    }
  }

  #grow(): void {
    const larger = new Uint8Array(this.#buffer.length * 2);
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}

/** Null while something is missing. */
function parse(received: string): Answer | null {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const head = received.slice(0, end);
  const status = Number(head.slice(9, 12));
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1].trim();
  const rest = received.slice(end + 4);
  if (status === 204 || status === 304) return { status, header, text: "" };
  const length = header("content-length");
  if (length !== undefined) {
    return rest.length < Number(length) ? null : { status, header, text: rest };
  }
  return rest.endsWith("0\r\n\r\n") ? { status, header, text: joinChunks(rest) } : null;
}

function joinChunks(chunked: string): string {
  let text = "";
  for (let at = 0;;) {
    const line = chunked.indexOf("\r\n", at);
    const length = parseInt(chunked.slice(at, line), 16);
    if (!(length > 0)) return text;
    text += chunked.slice(line + 2, line + 2 + length);
    at = line + 2 + length + 2;
  }
}
