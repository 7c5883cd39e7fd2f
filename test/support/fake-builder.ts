/** A pool without threads, whose builds a test lets end as it likes: outputs are small files, really written. */
import { writeFile } from 'node:fs/promises';
import { hashBytes } from '../../src/formats/hash.ts';
import type { StorePath } from '../../src/formats/store-path.ts';
import type { BuildReply, BuildRequest, BuiltOutput, JobName, Reply, Request } from '../../src/pool/messages.ts';
import type { RunOptions } from '../../src/pool/worker-pool.ts';
import { file, narOf } from './trees.ts';

export type Handler = (request: BuildRequest, options: RunOptions) => Promise<BuildReply>;

/** What can be done by hand instead: jobs by name. */
export type Handlers = { readonly [N in JobName]?: (request: Request<N>, options: RunOptions) => Promise<Reply<N>> };

/** Builds outputs that refer to the inputs that are named. */
export async function buildOutputs(
  request: BuildRequest,
  references: (output: StorePath) => readonly StorePath[] = () => [],
): Promise<BuildReply> {
  const outputs = await Promise.all(
    request.outputs.map(async ({ name, path }): Promise<BuiltOutput> => {
      const contents = `${name} of ${request.derivation.name}\n`;
      const location = request.mode === 'check' ? undefined : `${request.staging}/${name}`;
      if (location !== undefined) await writeFile(location, contents, { mode: 0o444 });
      const nar = narOf(file(contents));
      const info = {
        path,
        narHash: hashBytes('sha256', nar),
        narSize: nar.length,
        references: references(path).toSorted(),
        deriver: request.drvPath,
        signatures: [],
        ultimate: true,
      };
      return { name, info, location };
    }),
  );
  return { outputs, startTime: 1, stopTime: 2 };
}

/** Runs jobs by hand. `running` and `most` count builds. */
export class FakeBuilder {
  readonly #handlers: Handlers;
  /** Every derivation that was built, in order. */
  readonly started: StorePath[] = [];
  readonly running: Set<StorePath> = new Set();
  most: number = 0;
  /** Whether a derivation was built while it was being built. */
  twice: boolean = false;

  constructor(handlers: Handlers = {}) {
    this.#handlers = handlers;
  }

  lookHowBusy(): number | undefined {
    return undefined;
  }

  async run<N extends JobName>(name: N, request: Request<N>, options: RunOptions = {}): Promise<Reply<N>> {
    options.signal?.throwIfAborted();
    const handler = this.#handlers[name] as
      | ((request: Request<N>, options: RunOptions) => Promise<Reply<N>>)
      | undefined;
    if (name !== 'build') {
      if (handler === undefined) throw new Error(`unreachable: no job '${name}' was expected`);
      return await handler(request, options);
    }
    const { drvPath } = request as Request<'build'>;
    if (this.running.has(drvPath)) this.twice = true;
    this.started.push(drvPath);
    this.running.add(drvPath);
    this.most = Math.max(this.most, this.running.size);
    using ended = new DisposableStack();
    ended.defer(() => this.running.delete(drvPath));
    if (handler !== undefined) return await handler(request, options);
    return (await buildOutputs(request as Request<'build'>)) as Reply<N>;
  }
}
