/**
 * The directory in which a builder works.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, startBuild, cleanupBuild.
 */
import { chmod, chown, lstat, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BuildError } from '../errors.ts';
import { asStoreError } from '../stores/fs-errors.ts';
import { removeTree } from '../stores/remove-tree.ts';
import type { User } from './spawn.ts';

export interface BuildDir extends AsyncDisposable {
  /** Where it really lies, and nobody but its owner may go in. */
  readonly path: string;
  /** Leaves it where it is when it is disposed, readable by who started the build. */
  keep(): Promise<string>;
}

/**
 * Makes `PARENT/nix-build-NAME-RANDOM`, mode 0700.
 *
 * @param user - whose it is; this process's own by default.
 * @throws {BuildError} where others could change what lies in `parent`; {StoreError} where it cannot be written to.
 */
export async function openBuildDir(parent: string, name: string, user?: User): Promise<BuildDir> {
  try {
    await mkdir(parent, { recursive: true });
    if (user !== undefined) await refuseWorldWritable(parent);
    const path = await mkdtemp(join(parent, `nix-build-${name}-`));
    if (user !== undefined) await chown(path, user.uid, user.gid);
    let kept = false;
    return {
      path,
      keep: async () => {
        kept = true;
        if (user !== undefined) await chown(path, process.getuid!(), process.getgid!());
        await chmod(path, 0o755);
        return path;
      },
      [Symbol.asyncDispose]: async () => {
        if (!kept) await removeTree(path);
      },
    };
  } catch (error) {
    throw asStoreError(`cannot make a build directory in '${parent}'`, error);
  }
}

/** Puts files there that are the builder's own. */
export async function writeBuildFiles(dir: string, files: ReadonlyMap<string, string>, user?: User): Promise<void> {
  for (const [name, contents] of files) {
    const file = join(dir, name);
    await writeFile(file, contents, { flag: 'wx' });
    if (user !== undefined) await chown(file, user.uid, user.gid);
  }
}

async function refuseWorldWritable(parent: string): Promise<void> {
  for (let dir = parent; ; dir = dirname(dir)) {
    const { mode } = await lstat(dir);
    if ((mode & 0o002) !== 0) {
      throw new BuildError(`'${dir}' can be written to by everybody, or is a symlink: no place for build directories`, {
        failure: { status: 'inputRejected' },
        hint: 'name another with setting build-dir',
      });
    }
    if (dir === dirname(dir)) return;
  }
}
