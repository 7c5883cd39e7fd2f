/** A real S3 server on the loopback interface: OpenStack Swift as Debian has it. See s3-server.py. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openS3Signer, type S3Signer } from '../../src/stores/s3/sign.ts';
import { lines } from './run.ts';

/** Debian's own Python, which finds Debian's packages. */
const PYTHON = '/usr/bin/python3';
const SWIFT = fileURLToPath(new URL('s3-server.py', import.meta.url));
const PARTS = ['account', 'container', 'object', 'proxy'].map((part) => `/usr/bin/swift-${part}-server`);

/** Options for a test that needs the server, as `needs` has them for programs. */
export const needsS3: { readonly skip: string | false } = {
  skip:
    PARTS.every((program) => existsSync(program)) || process.env.SLUICE_REQUIRE_NIX
      ? false
      : 'OpenStack Swift is not installed',
};

/** An environment without credentials. */
export const ANONYMOUS: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: '',
  AWS_SECRET_ACCESS_KEY: '',
  AWS_PROFILE: '',
  AWS_CONFIG_FILE: '/nowhere/config',
  AWS_SHARED_CREDENTIALS_FILE: '/nowhere/credentials',
  AWS_EC2_METADATA_DISABLED: 'true',
};

/** In the environment of those who may write: no other place is looked in for credentials. */
export const WRITER: Readonly<Record<string, string>> = credentials('test:writer', 'writing');
/** An account without any rights. */
export const STRANGER: Readonly<Record<string, string>> = credentials('test:stranger', 'looking');

export function credentials(id: string, secret: string): Readonly<Record<string, string>> {
  return { ...ANONYMOUS, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret };
}

export class S3Server implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a slash at its end. */
  readonly url: string;
  readonly #child: ChildProcess;

  readonly #sign: S3Signer;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}`;
    const credentials = {
      accessKeyId: WRITER.AWS_ACCESS_KEY_ID!,
      secretAccessKey: WRITER.AWS_SECRET_ACCESS_KEY!,
    };
    this.#sign = openS3Signer({ region: 'us-east-1', credentials: async () => credentials, origin: this.url });
  }

  /** @param home - does not exist yet; all that the server holds is there. */
  static async start(home: string): Promise<S3Server> {
    await mkdir(home, { recursive: true });
    const child = spawn(PYTHON, [SWIFT, home], { stdio: ['pipe', 'pipe', 'pipe'] });
    let complaints = '';
    child.stderr.on('data', (chunk) => {
      complaints += chunk;
    });
    for await (const line of createInterface({ input: child.stdout })) return new S3Server(child, Number(line));
    throw new Error(`the S3 server did not start: ${complaints}`);
  }

  /** What names a bucket of this server as a store, with further parameters. */
  storeUri(bucket: string, params: Readonly<Record<string, string>> = {}): string {
    return `s3://${bucket}?${new URLSearchParams({ endpoint: this.url, ...params })}`;
  }

  async makeBucket(bucket: string): Promise<void> {
    assert.equal((await this.request('PUT', bucket)).status, 200);
  }

  /**
   * Lets everybody read a bucket.
   *
   * @returns where it is for HTTP without signatures: Swift has a place of its own for that.
   */
  async publish(bucket: string): Promise<string> {
    await this.#manage('POST', bucket, { 'x-container-read': '.r:*' });
    return `${this.url}/v1/AUTH_test/${bucket}`;
  }

  /** The names of all files in a bucket, and of the parts of large ones, which Swift keeps beside it. */
  async list(bucket: string): Promise<{ readonly files: string[]; readonly parts: string[] }> {
    const [files, parts] = await Promise.all(
      [bucket, `${bucket}+segments`].map(async (name) => lines(await this.#manage('GET', name))),
    );
    return { files: files!, parts: parts! };
  }

  /** Asks Swift itself; answers nothing of what is not there. */
  async #manage(method: string, bucket: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const user = { 'x-auth-user': 'test:writer', 'x-auth-key': WRITER.AWS_SECRET_ACCESS_KEY! };
    const entered = await fetch(`${this.url}/auth/v1.0`, { headers: user });
    const token = { 'x-auth-token': entered.headers.get('x-auth-token')! };
    const answer = await fetch(`${this.url}/v1/AUTH_test/${bucket}`, { method, headers: { ...token, ...headers } });
    assert.ok(answer.ok || answer.status === 404, `status ${answer.status}`);
    return answer.ok ? answer.text() : '';
  }

  /** A request in the name of the writer. */
  async request(method: string, path: string, body?: Uint8Array): Promise<Response> {
    const url = new URL(`${this.url}/${path}`);
    const payloadHash = body && createHash('sha256').update(body).digest('hex');
    const headers = await this.#sign({ method, url, headers: {}, payloadHash });
    return fetch(url, { method, headers, ...(body && { body }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
