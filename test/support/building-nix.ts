/** Stock Nix that builds, in a store directory of its own, without a sandbox: for what only a build makes. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Nix } from './nix.ts';
import { lines, output, type RunResult, run } from './run.ts';

export class BuildingNix {
  readonly storeDir: string;
  /** Opens the same store here. */
  readonly uri: string;
  readonly logDir: string;
  readonly #env: Readonly<Record<string, string | undefined>>;

  private constructor(dir: string, nix: Nix, settings: readonly string[]) {
    this.storeDir = join(dir, 'store');
    this.logDir = join(dir, 'log');
    const stateDir = join(dir, 'state');
    this.uri = `local?store=${this.storeDir}&state=${stateDir}&log=${this.logDir}`;
    this.#env = {
      ...nix.env,
      NIX_CONFIG: [nix.env.NIX_CONFIG, 'sandbox = false', ...settings].join('\n'),
      NIX_STORE_DIR: this.storeDir,
      NIX_STATE_DIR: stateDir,
      NIX_LOG_DIR: this.logDir,
    };
  }

  /**
   * @param dir - an empty directory, or one that is not there yet.
   * @param settings - lines of nix.conf.
   */
  static async open(dir: string, ...settings: readonly string[]): Promise<BuildingNix> {
    await mkdir(dir, { recursive: true });
    return new BuildingNix(dir, await Nix.open(join(dir, 'home')), settings);
  }

  /** The paths of derivations, with the store directory. */
  async instantiate(expression: string): Promise<string[]> {
    return lines(await output('nix-instantiate', ['-E', expression], { env: this.#env }));
  }

  /** Builds, and says where the outputs are. */
  async build(expression: string): Promise<string[]> {
    return lines(await output('nix-build', ['--no-out-link', '-E', expression], { env: this.#env }));
  }

  output(command: string, ...args: readonly string[]): Promise<string> {
    return output(command, args, { env: this.#env });
  }

  run(command: string, ...args: readonly string[]): Promise<RunResult> {
    return run(command, args, { env: this.#env });
  }
}
