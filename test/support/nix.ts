/** The stock Nix client, away from the machine's own store and configuration. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lines, needs, output, type RunResult, run } from './run.ts';

/** Why tests that need stock Nix do not run, if so: `test(name, { skip: nixMissing }, …)`. */
export const nixMissing: string | false = needs('nix', 'nix-store').skip;

/** What `nix path-info --json` says, as Nix 2.8 prints it. */
export interface NixPathInfo {
  readonly path: string;
  readonly narHash: string;
  readonly narSize: number;
  readonly references: readonly string[];
  readonly deriver?: string;
  readonly signatures?: readonly string[];
}

export class Nix {
  readonly #env: Readonly<Record<string, string | undefined>>;

  private constructor(home: string) {
    this.#env = {
      HOME: home,
      NIX_CONF_DIR: join(home, 'no-configuration'),
      NIX_CONFIG: [
        'build-users-group =',
        'experimental-features = nix-command',
        'substitute = false',
        'fsync-metadata = false',
      ].join('\n'),
      NIX_REMOTE: undefined,
      NIX_STORE: undefined,
      NIX_STATE_DIR: undefined,
      NIX_USER_CONF_FILES: '',
      // Here Nix remembers narinfo files by URL, and ports come again.
      XDG_CACHE_HOME: join(home, 'cache'),
    };
  }

  /** @param home - a directory that will hold its home; nothing else of the machine is read or written. */
  static async open(home: string): Promise<Nix> {
    await mkdir(home, { recursive: true });
    return new Nix(home);
  }

  /** What a program of Nix prints; it must end with exit code 0. */
  output(command: 'nix' | 'nix-store', ...args: readonly string[]): Promise<string> {
    return output(command, args, { env: this.#env });
  }

  run(command: 'nix' | 'nix-store', ...args: readonly string[]): Promise<RunResult> {
    return run(command, args, { env: this.#env });
  }

  /** The environment its programs run in. */
  get env(): Readonly<Record<string, string | undefined>> {
    return this.#env;
  }

  /** The closure of a path, sorted. */
  async closure(storeUri: string, path: string): Promise<string[]> {
    return lines(await this.output('nix-store', '--store', storeUri, '-qR', path)).sort();
  }

  /** What a store says of the closure of `path`, sorted by path, in a form that can be compared. */
  async pathInfos(storeUri: string, path: string): Promise<NixPathInfo[]> {
    const text = await this.output('nix', 'path-info', '--json', '--recursive', '--store', storeUri, path);
    return parsePathInfos(text);
  }

  /**
   * What `nix-store --verify --check-contents` complains of in a chroot store: nothing where all is well.
   */
  async problems(root: string): Promise<string[]> {
    return problemsOf(await this.run('nix-store', '--store', root, '--verify', '--check-contents'));
  }
}

/** What `nix path-info --json` printed, sorted by path, in a form that can be compared. */
export function parsePathInfos(text: string): NixPathInfo[] {
  return (JSON.parse(text) as NixPathInfo[])
    .map(({ path, narHash, narSize, references, deriver, signatures }) => ({
      path,
      narHash,
      narSize,
      references: references.toSorted(),
      ...(deriver !== undefined && { deriver }),
      signatures: (signatures ?? []).toSorted(),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The complaints of `nix-store --verify`: lines that only say how far it is do not count. */
export function problemsOf({ code, stderr }: RunResult): string[] {
  const complaints = lines(stderr).filter((line) => !/^(reading the Nix store|checking )/.test(line));
  return code === 0 ? complaints : [...complaints, `exit code ${code}`];
}
