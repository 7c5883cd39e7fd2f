/** Builds without a scheduler: derivations of stock Nix, and the job that builds them, called as a worker thread calls it. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeError } from '../../src/errors.ts';
import { parseDerivation } from '../../src/formats/derivation.ts';
import { parseDerivationOptions } from '../../src/formats/derivation-options.ts';
import { parseStoreDir, parseStorePath, pathName, type StorePath } from '../../src/formats/store-path.ts';
import type { BuildReply, BuildRequest, Notice } from '../../src/pool/messages.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { LocalStore } from '../../src/stores/local-store.ts';
import { openStore } from '../../src/stores/open-store.ts';
import build from '../../workers/build.ts';
import { lines, needs, output } from './run.ts';

/** Why tests that build derivations do not run, if so. */
export const buildsMissing: string | false = needs('nix-instantiate', 'nix-store', 'bwrap').skip;

/** What of the machine builders in a sandbox see here, so that they have a shell. */
export const MACHINE: readonly string[] = ['/bin', '/usr', '/lib?', '/lib64?'];

export interface BuildOutcome {
  readonly reply: BuildReply;
  readonly notices: readonly Notice[];
  /** All lines of the log. */
  readonly log: readonly string[];
}

/** A store that Sluice and stock Nix share, in a directory of its own, with paths that lie where they are called. */
export interface BuildStore {
  readonly dir: string;
  readonly uri: string;
  readonly store: LocalStore;
  /** For stock Nix. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes the derivation of an expression; its path with the store directory. */
  instantiate(expression: string): Promise<string>;
  request(drvPath: string, overrides?: Partial<BuildRequest>): Promise<BuildRequest>;
  build(request: BuildRequest, options?: BuildOptions): Promise<BuildOutcome>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface BuildOptions {
  readonly settings?: Partial<Settings>;
  readonly signal?: AbortSignal;
  readonly onNotice?: (notice: Notice) => void;
}

/** An expression for a derivation that a shell builds. */
export function shellDerivation(name: string, script: string, attributes = ''): string {
  return `derivation { name = "${name}"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" ''${script}'' ]; ${attributes} }`;
}

/** @param kind - `chroot`: paths lie elsewhere than they are called. */
export async function openBuildStore(dir: string, kind: 'plain' | 'chroot' = 'plain'): Promise<BuildStore> {
  const storeDir = parseStoreDir(kind === 'plain' ? join(dir, 'store') : '/nix/store');
  const uri =
    kind === 'plain'
      ? `local?store=${dir}/store&real=${dir}/store&state=${dir}/var&log=${dir}/log`
      : `local?root=${dir}`;
  const env = {
    HOME: dir,
    NIX_CONF_DIR: join(dir, 'none'),
    NIX_USER_CONF_FILES: '',
    NIX_CONFIG: 'build-users-group =\nsubstitute = false\nfsync-metadata = false\n',
    ...(kind === 'plain'
      ? { NIX_STORE_DIR: `${dir}/store`, NIX_STATE_DIR: `${dir}/var`, NIX_LOG_DIR: `${dir}/log`, NIX_REMOTE: undefined }
      : { NIX_REMOTE: uri }),
  };
  const store = await openStore(uri, settingsOf({}));
  if (!(store instanceof LocalStore)) throw new Error('unreachable: a local store');
  let builds = 0;
  const run = process.pid;
  return {
    dir,
    uri,
    store,
    env,
    instantiate: async (expression) => {
      const [drvPath] = lines(await output('nix-instantiate', ['-E', expression], { env }));
      return drvPath!;
    },
    request: async (drvPath, overrides = {}) => {
      const path = parseStorePath(storeDir, drvPath);
      const text = await readFile(store.realPath(path));
      const derivation = parseDerivation(storeDir, pathName(path).replace(/\.drv$/, ''), text);
      const inputs: StorePath[] = [...derivation.inputSrcs];
      for (const [input, names] of derivation.inputDrvs) {
        const name = pathName(input).replace(/\.drv$/, '');
        const made = parseDerivation(storeDir, name, await readFile(store.realPath(input)));
        inputs.push(...names.map((each) => made.outputs.get(each)!.path));
      }
      const closure = await store.queryClosure(inputs);
      const { exportReferencesGraph } = parseDerivationOptions(storeDir, derivation);
      const graphs: Record<string, BuildRequest['graphs'][string]> = {};
      for (const [name, paths] of exportReferencesGraph) {
        const infos = await store.queryClosure(paths);
        graphs[name] = [...infos.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
      }
      const staging = join(store.realStoreDir, `.staging-${run}-${builds++}`);
      await mkdir(staging, { recursive: true, mode: 0o700 });
      return {
        store: uri,
        drvPath: path,
        derivation,
        inputPaths: [...closure.keys()],
        graphs,
        outputs: Array.from(derivation.outputs, ([name, each]) => ({ name, path: each.path })),
        staging,
        mode: 'normal',
        ...overrides,
      };
    },
    build: async (request, { settings = {}, signal = new AbortController().signal, onNotice = () => {} } = {}) => {
      const notices: Notice[] = [];
      const progress = { addDownloaded: () => {}, addNar: () => {}, addUploaded: () => {} };
      const tell = (notice: Notice): void => {
        notices.push(notice);
        onNotice(notice);
      };
      const reply = await build(request, { settings: settingsOf(settings), signal, progress, tell });
      if (reply.failure !== undefined) throw decodeError(reply.failure);
      return { reply, notices, log: notices.flatMap((notice) => (notice.kind === 'log' ? notice.lines : [])) };
    },
    [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose](),
  };
}

function settingsOf(settings: Partial<Settings>): Settings {
  return makeSettings({ buildUsersGroup: '', sandboxPaths: MACHINE, fsyncMetadata: false, ...settings });
}

/** Where an output lies, by name. */
export function locationOf(reply: BuildReply, name = 'out'): string {
  const location = reply.outputs.find((output) => output.name === name)?.location;
  if (location === undefined) throw new Error(`no output '${name}'`);
  return location;
}
