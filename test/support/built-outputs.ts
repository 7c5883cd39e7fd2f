/** What a builder made, to be finished: a store that has only directories, and a derivation with outputs by name. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type FinishedOutputs, type FinishInput, finishOutputs } from '../../src/build/outputs/finish-outputs.ts';
import { BuildError, type BuildFailureStatus } from '../../src/errors.ts';
import type { ContentAddress } from '../../src/formats/content-address.ts';
import { hashBytes } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, makeStorePath, type StorePath } from '../../src/formats/store-path.ts';
import type { BuildRequest, BuiltOutput } from '../../src/pool/messages.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { temporaryDirectory } from './local-store.ts';

/** A store path that nothing has made. */
export function inventedPath(name: string): StorePath {
  return makeStorePath(DEFAULT_STORE_DIR, 'output:out', hashBytes('sha256', name), name);
}

export interface FinishOptions {
  readonly settings?: Partial<Settings>;
  readonly env?: Readonly<Record<string, string>>;
  readonly builder?: string;
  readonly fixed?: ContentAddress;
  readonly request?: Partial<BuildRequest>;
  readonly input?: Partial<FinishInput>;
}

export class BuiltOutputs {
  readonly dir: string;
  readonly realStoreDir: string;
  readonly messages: string[] = [];
  readonly drvPath: StorePath = inventedPath('test.drv');
  readonly input: StorePath = inventedPath('input');
  readonly #names: readonly string[];

  private constructor(dir: string, names: readonly string[]) {
    this.dir = dir;
    this.realStoreDir = join(dir, 'store');
    this.#names = names;
  }

  /** @param names - of the outputs. */
  static async open(resources: AsyncDisposableStack, ...names: readonly string[]): Promise<BuiltOutputs> {
    const dir = await temporaryDirectory(resources);
    mkdirSync(join(dir, 'store/.links'), { recursive: true });
    return new BuiltOutputs(dir, names.length === 0 ? ['out'] : names);
  }

  /** Where a builder makes an output. */
  location(name = 'out'): string {
    return join(this.dir, name);
  }

  path(name = 'out'): StorePath {
    return inventedPath(name === 'out' ? 'test' : `test-${name}`);
  }

  /** @throws also what {@link finishAll} returns as the failure. */
  async finish(options?: FinishOptions): Promise<readonly BuiltOutput[]> {
    const { outputs, failure } = await this.finishAll(options);
    if (failure !== undefined) throw failure;
    return outputs;
  }

  finishAll(options: FinishOptions = {}): Promise<FinishedOutputs> {
    const { settings, env = {}, builder = '/bin/sh', fixed, request, input } = options;
    const output = (name: string) => ({ path: this.path(name), ...(fixed && { contentAddress: fixed }) });
    return finishOutputs({
      request: {
        store: 'local',
        drvPath: this.drvPath,
        derivation: {
          name: 'test',
          outputs: new Map(this.#names.map((name) => [name, output(name)])),
          inputSrcs: [],
          system: 'x86_64-linux',
          builder,
          args: [],
          env: new Map(Object.entries(env)),
        },
        inputPaths: [this.input],
        graphs: {},
        outputs: this.#names.map((name) => ({ name, path: this.path(name) })),
        staging: this.dir,
        mode: 'normal',
        ...request,
      },
      store: { storeDir: DEFAULT_STORE_DIR, realStoreDir: this.realStoreDir },
      produced: new Map(this.#names.map((name) => [name, this.location(name)])),
      rewrites: new Map(),
      buildUid: undefined,
      settings: makeSettings(settings),
      signal: new AbortController().signal,
      onMessage: (message) => void this.messages.push(message),
      ...input,
    });
  }
}

/** For `assert.rejects`: a build error with this status, whose message matches. */
export function failsWith(status: BuildFailureStatus, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof BuildError && error.failure.status === status && message.test(error.message);
}
