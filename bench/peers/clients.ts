/** The programs that are compared: how each is asked to make a path and all that it needs valid in a fresh store. */
import { mkdir, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { narInfoCacheFile } from '../../src/cli/cache-files.ts';
import { parseStoreReference } from '../../src/formats/store-reference.ts';
import { makeSettings } from '../../src/settings.ts';
import { openLocalStore } from '../../src/stores/local-store.ts';
import type { Command } from './measure.ts';

/** What is substituted. */
export interface Task {
  readonly top: string;
  readonly url: string;
  readonly publicKey: string;
}

export interface Client {
  /** The key of its runs in a report. */
  readonly name: 'sluice' | 'nix';
  /** @param root - directory of the chroot store, which is not there yet. */
  command(task: Task, root: string): Command;
  /** The whole environment of a run, in which nothing is remembered of earlier ones. */
  environment(): Promise<Readonly<Record<string, string>>>;
}

/**
 * Sluice with its default settings. Its home stays, because compiled code is in it; what it remembers of caches does not.
 *
 * @param main - entry of the command line, which starts itself with the flags of its first line.
 * @param home - a directory for it alone.
 */
export function sluiceClient(main: string, home: string): Client {
  return {
    name: 'sluice',
    command: ({ top, url, publicKey }, root) => {
      const trust = ['--trusted-public-keys', publicKey];
      return [main, 'realise', '--store', root, '--substituter', url, ...trust, top];
    },
    environment: async () => {
      const environment = environmentOf(home);
      const remembered = narInfoCacheFile(environment)!;
      await Promise.all(['', '-wal', '-shm'].map((suffix) => rm(remembered + suffix, { force: true })));
      const path = [dirname(process.execPath), environment.PATH].join(delimiter);
      return { ...environment, ...unconfigured(home), PATH: path };
    },
  };
}

/** Nix's defaults, spelled out: before 2.16 there was one slot for each build, and by default one build at a time. */
const NIX_OPTIONS = { 'max-substitution-jobs': '16', 'http-connections': '25' } as const;

/**
 * The stock Nix client: as many transfers at once as it has by default today, whatever its version.
 *
 * @param homes - a directory for its homes, of which every run has a new one: Nix remembers narinfos in it.
 */
export function nixClient(homes: string): Client {
  let runs = 0;
  return {
    name: 'nix',
    command: ({ top, url, publicKey }, root) => {
      const settings = {
        'build-users-group': '',
        substituters: url,
        'trusted-public-keys': publicKey,
        ...NIX_OPTIONS,
      };
      const options = Object.entries(settings).flatMap(([name, value]) => ['--option', name, value]);
      const jobs = ['-j', NIX_OPTIONS['max-substitution-jobs']]; // what the slots were called before 2.16
      return ['nix-store', '--store', root, ...options, ...jobs, '-r', top];
    },
    environment: async () => {
      const home = join(homes, String(runs++));
      await mkdir(home, { recursive: true });
      return { ...environmentOf(home), ...unconfigured(home) };
    },
  };
}

function environmentOf(home: string): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: home, XDG_CACHE_HOME: join(home, '.cache'), LC_ALL: 'C.UTF-8' };
}

/** Both read the same files, of which there is none. */
function unconfigured(home: string): Record<string, string> {
  return { NIX_CONF_DIR: join(home, 'no-configuration'), NIX_USER_CONF_FILES: '' };
}

/** How many paths are valid in the store that a client has made. */
export async function countValidPaths(root: string): Promise<number> {
  await using store = await openLocalStore(parseStoreReference(`local?root=${root}&read-only=true`), makeSettings());
  return (await store.queryAllValidPaths()).length;
}
