/**
 * Build users: where this runs as root, builders run as one of the members of a group, each build as another one.
 *
 * Source: Nix 2.35 manual, "nix.conf", build-users-group; libstore/user-lock.cc.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { BuildError } from '../errors.ts';
import { backOff } from '../stores/back-off.ts';
import { loadLibc } from '../stores/libc.ts';
import { killAllOf } from './kill-user.ts';
import { findProgram } from './sandbox/probe.ts';
import { readSpawned, spawnProcess, type User } from './spawn.ts';

/** One of a group, and nobody else's meanwhile. */
export interface BuildUser extends Disposable {
  readonly user: User;
  /** Kills all that runs as this user. */
  killAll(): void;
}

export interface AcquireOptions {
  readonly stateDir: string;
  /** The name of the group. */
  readonly group: string;
  readonly signal: AbortSignal;
  /** Called once where all are in use. */
  readonly onWait: () => void;
}

/**
 * Waits for a user of the group that no other build has, of this process or another. Nothing runs as that user then.
 *
 * @throws {BuildError} where the group or one of its members does not exist, or it has none.
 */
export async function acquireBuildUser(options: AcquireOptions): Promise<BuildUser> {
  const { stateDir, group, signal, onWait } = options;
  const users = await usersOf(group);
  const pool = join(stateDir, 'userpool');
  mkdirSync(pool, { recursive: true });
  for (let attempt = 0; ; attempt++) {
    for (const user of users) {
      const lock = tryLock(join(pool, String(user.uid)));
      if (lock === undefined) continue;
      using undo = new DisposableStack();
      undo.use(lock);
      const killAll = (): void => killAllOf(user);
      killAll();
      const held = undo.move();
      return { user, killAll, [Symbol.dispose]: () => held.dispose() };
    }
    if (attempt === 0) onWait();
    await backOff(attempt, signal);
  }
}

/** The lock stays a file: deleting it would let two have the user. */
function tryLock(file: string): Disposable | undefined {
  using opened = new DisposableStack();
  const fd = opened.adopt(openSync(file, 'a+', 0o600), closeSync);
  return loadLibc().tryLock(fd, 'exclusive', file) ? opened.move() : undefined;
}

const groups = new Map<string, Promise<readonly User[]>>();

function usersOf(group: string): Promise<readonly User[]> {
  const known = groups.get(group) ?? findUsers(group);
  groups.set(group, known);
  known.catch(() => groups.delete(group)); // it may be made meanwhile
  return known;
}

async function findUsers(group: string): Promise<readonly User[]> {
  const rejected = (problem: string): BuildError =>
    new BuildError(problem, {
      failure: { status: 'inputRejected' },
      hint: 'see setting build-users-group; where it is empty, builders run as this user',
    });
  const [entry] = await ask('group', group);
  if (entry === undefined) throw rejected(`the group '${group}' of setting build-users-group does not exist`);
  const gid = Number(entry[2]);
  const members = (entry[3] ?? '').split(',').filter((name) => name !== '');
  if (members.length === 0) throw rejected(`the group '${group}' of setting build-users-group has no members`);
  const entries = new Map((await ask('passwd', ...members)).map((fields) => [fields[0]!, fields] as const));
  return await Promise.all(
    members.map(async (name) => {
      const fields = entries.get(name);
      if (fields === undefined) throw rejected(`user '${name}' in group '${group}' does not exist`);
      const uid = Number(fields[2]);
      if (uid === 0 || uid === process.getuid?.())
        throw rejected(`user '${name}' cannot be a build user: it is who runs this`);
      return { uid, gid, supplementaryGids: await groupsOf(name) };
    }),
  );
}

/** The other groups that a user is in, such as `kvm`. */
async function groupsOf(name: string): Promise<number[]> {
  const [fields] = await ask('initgroups', name);
  return (fields?.[0] ?? '').split(/\s+/).slice(1).map(Number).filter(Number.isSafeInteger);
}

/** What the system's databases say, wherever they are: the fields of the entries that are there. */
async function ask(database: string, ...keys: readonly string[]): Promise<string[][]> {
  const program = findProgram('getent');
  if (program === undefined) {
    throw new BuildError("'getent' is missing, which tells who the build users are", {
      failure: { status: 'miscFailure' },
    });
  }
  const { output } = await readSpawned(
    spawnProcess({ program, args: ['getent', database, ...keys], env: new Map(), cwd: '/' }),
  );
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}
