/**
 * Mounts ahead of bubblewrap, which looks at all mounts for each that it makes: 500 take it half a second, 1,500 more
 * than four. mount(8) does 500 in 18 ms of CPU, where it does not resolve each path by itself first (`-c`: 52 ms
 * without). So where there are many, a shell in a mount namespace of its own has them made in a directory, which
 * bubblewrap then takes over as one.
 *
 * It is also how root gives a build user a view of what that user could not reach: see {@link mountsAhead}.
 *
 * Source: fstab(5), mount(8), unshare(1).
 */
import { linkSync, mkdirSync } from 'node:fs';
import { InternalError } from '../../errors.ts';
import type { Mount } from './namespaces.ts';
import { findProgram } from './probe.ts';

/** From how many mounts on this is faster. */
export const MANY_MOUNTS = 24;

/** A line of fstab(5) for each. */
export function printFstab(mounts: readonly Mount[]): string {
  const escaped = (path: string): string =>
    path.replace(/[\\\s#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return mounts
    .map(
      ({ inside, outside, writable }) =>
        `${escaped(outside)} ${escaped(inside)} none ${writable ? 'rbind' : 'bind,ro'} 0 0\n`,
    )
    .join('');
}

/**
 * Makes the mount point of a directory, or of anything else.
 *
 * @param empty - a file of which others are links: making a new one costs more.
 */
export function makeMountPoint(path: string, directory: boolean, empty: string): void {
  if (directory) mkdirSync(path);
  else linkSync(empty, path);
}

/**
 * The command that makes the mounts of a file as fstab(5) has it, and then becomes another command.
 *
 * @throws {InternalError} where the tools of util-linux are missing.
 */
export function mountsAhead(fstab: string, command: readonly string[]): string[] {
  const tool = (name: string): string => {
    const program = findProgram(name);
    if (program === undefined)
      throw new InternalError(`'${name}' is missing`, { hint: 'apt-get install util-linux mount' });
    return program;
  };
  const root = process.getuid?.() === 0;
  return [
    ...[tool('unshare'), '--mount', ...(root ? [] : ['--user', '--map-root-user']), '--'],
    ...[tool('sh'), '-c', '"$1" -n -c -a -T "$2" && shift 2 && exec "$@"', 'sh', tool('mount'), fstab],
    ...command,
  ];
}
