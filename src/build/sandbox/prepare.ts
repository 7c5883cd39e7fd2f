/**
 * A sandbox for one build: directories for what is made in it, and the command that runs a builder inside.
 *
 * Source: Nix 2.35 manual, "nix.conf", sandbox; libstore/linux/build/linux-derivation-builder.cc.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { BuildError } from '../../errors.ts';
import type { StoreDir, StorePath } from '../../formats/store-path.ts';
import type { Settings } from '../../settings.ts';
import type { User } from '../spawn.ts';
import { makeEtc } from './etc.ts';
import { MANY_MOUNTS, makeMountPoint, mountsAhead, printFstab } from './many-mounts.ts';
import { builderCommand, type Mount, sandboxOptions } from './namespaces.ts';
import { type Bubblewrap, findProgram } from './probe.ts';
import type { SandboxPath } from './sandbox-paths.ts';
import { seccompFilter } from './seccomp.ts';

export interface SandboxInput {
  readonly bubblewrap: Bubblewrap;
  readonly settings: Settings;
  readonly storeDir: StoreDir;
  /** Where a store path really lies. */
  readonly realPath: (path: StorePath) => string;
  /** All that is seen of the store. */
  readonly inputPaths: readonly StorePath[];
  /** An empty directory in the file system of the store. */
  readonly staging: string;
  /** Where the build directory really lies. */
  readonly buildDir: string;
  readonly sandboxPaths: readonly SandboxPath[];
  /** Whether it sees the network of the host. */
  readonly network: boolean;
  /** Who runs it, where that is not this process's own user. */
  readonly user: User | undefined;
}

export interface Sandbox extends Disposable {
  /** Where what the builder makes as a store path really lies. */
  location(path: StorePath): string;
  command(builder: string, args: readonly string[], env: ReadonlyMap<string, string>): SandboxCommand;
}

export interface SandboxCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly fds: readonly number[];
}

/** Where a build user sees what is bound for it: a directory that everybody can reach and no sandbox needs. */
const VIEW = '/sys';
/** The first that a new process is given. */
const OPTIONS_FD = 3;
const WRITABLE = ['store', 'tmp'] as const;

export function prepareSandbox(input: SandboxInput): Sandbox {
  const { bubblewrap, settings, storeDir, staging, buildDir, network, user } = input;
  const dir = (name: string): string => join(staging, name);
  if (user !== undefined) chmodSync(staging, 0o755); // it is in a directory that is closed to others
  for (const name of WRITABLE) {
    mkdirSync(dir(name));
    chmodSync(dir(name), name === 'tmp' ? 0o1777 : 0o1775);
    if (user !== undefined) chownSync(dir(name), user.uid, user.gid);
  }
  const insideDir = settings.sandboxBuildDir;
  if (`${storeDir}/`.startsWith(`${insideDir.replace(/\/+$/, '')}/`)) {
    throw new BuildError(`setting sandbox-build-dir: '${insideDir}' would hide the store '${storeDir}'`, {
      failure: { status: 'inputRejected' },
    });
  }
  const etc = makeEtc(dir('etc'), insideDir, network, settings.sslCertFile);
  const inputs = inputMounts(input, dir('store'));
  const ahead = user !== undefined || inputs.length >= MANY_MOUNTS;
  if (ahead) {
    const empty = dir('empty');
    writeFileSync(empty, '', { mode: 0o444 });
    for (const { inside, directory } of inputs) {
      makeMountPoint(join(dir('store'), inside), directory, empty);
    }
  }
  if (user !== undefined) mkdirSync(dir('build'));

  const seen = user === undefined ? staging : VIEW;
  const hostPaths = visiblePaths(input.sandboxPaths, user);
  const inStore = ({ inside }: Mount): boolean => inside.startsWith(`${storeDir}/`);
  // The store comes late, as bubblewrap looks at all mounts for each that follows.
  const mounts: Mount[] = [
    { inside: '/tmp', outside: join(seen, 'tmp'), writable: true },
    { inside: '/etc', outside: join(seen, 'etc'), writable: true },
    ...etc,
    ...hostPaths.filter((mount) => !inStore(mount)),
    { inside: insideDir, outside: user === undefined ? buildDir : join(seen, 'build'), writable: true },
    { inside: storeDir, outside: join(seen, 'store'), writable: true },
    ...(ahead ? [] : inputs.map((mount) => ({ ...mount, inside: join(storeDir, mount.inside) }))),
    ...hostPaths.filter(inStore),
  ];
  const resources = new DisposableStack();
  return {
    location: (path) => join(dir('store'), path),
    command: (builder, args, env) => {
      const hostDev = hostPaths.some(({ inside }) => inside === '/dev');
      const shmSize = settings.sandboxDevShmSize;
      const filter = seccompFilter();
      const options = sandboxOptions({
        ...{ mounts, devices: devices(settings), hostDev, network, buildDir: insideDir, storeDir, shmSize, env },
        seccompFd: filter && OPTIONS_FD + 1,
      });
      const fds = [options, ...(filter === undefined ? [] : [filter])].map((contents, index) => {
        const file = dir(`fd-${OPTIONS_FD + index}`);
        writeFileSync(file, contents, { mode: 0o600 });
        return resources.adopt(openSync(file, 'r'), closeSync);
      });
      const bwrap = [bubblewrap.program, '--args', String(OPTIONS_FD), ...builderCommand(bubblewrap, builder, args)];
      if (!ahead) return { program: bubblewrap.program, args: bwrap, fds };
      const bound = inputs.map((mount) => ({ ...mount, inside: join(dir('store'), mount.inside) }));
      const view: Mount[] =
        user === undefined
          ? []
          : [
              { inside: dir('build'), outside: buildDir, writable: true },
              { inside: VIEW, outside: staging, writable: true },
            ];
      writeFileSync(dir('fstab'), printFstab([...bound, ...view]));
      const command = mountsAhead(dir('fstab'), [...(user === undefined ? [] : become(user)), ...bwrap]);
      return { program: command[0]!, args: command, fds };
    },
    [Symbol.dispose]: () => resources.dispose(),
  };
}

/** Symlinks cannot be mounted; the others are seen as they are. `inside` is a base name. */
function inputMounts(
  { realPath, inputPaths }: SandboxInput,
  store: string,
): (Mount & { readonly directory: boolean })[] {
  return inputPaths.flatMap((path) => {
    const outside = realPath(path);
    const stats = lstatSync(outside);
    if (!stats.isSymbolicLink()) return [{ inside: path, outside, writable: false, directory: stats.isDirectory() }];
    symlinkSync(readlinkSync(outside), join(store, path));
    return [];
  });
}

/**
 * Builders may write to these as far as their user may. Where that is root, who may everything, they may not.
 *
 * @throws {BuildError} of status `inputRejected` where one is missing that may not be.
 */
function visiblePaths(paths: readonly SandboxPath[], user: User | undefined): Mount[] {
  const writable = user !== undefined || process.getuid?.() !== 0;
  return paths.flatMap(({ inside, outside, optional }) => {
    if (existsSync(outside)) return [{ inside, outside, writable }];
    if (optional) return [];
    throw new BuildError(`sandbox path '${outside}' does not exist`, {
      failure: { status: 'inputRejected' },
      hint: "put a '?' after it in setting sandbox-paths where it may be missing",
    });
  });
}

function devices({ systemFeatures }: Settings): string[] {
  return systemFeatures.includes('kvm') && existsSync('/dev/kvm') ? ['/dev/kvm'] : [];
}

/** The command that makes root another user. */
function become({ uid, gid, supplementaryGids }: User): string[] {
  const groups = supplementaryGids.length === 0 ? ['--clear-groups'] : ['--groups', supplementaryGids.join()];
  return [findProgram('setpriv') ?? 'setpriv', '--reuid', String(uid), '--regid', String(gid), ...groups, '--'];
}
