/** Build users that no machine has to have: a `getent` that knows them, first on PATH, until disposed. */
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../../src/stores/remove-tree.ts';

export interface FakeUsers extends AsyncDisposable {
  readonly group: string;
  readonly gid: number;
  readonly uids: readonly number[];
  /** A directory that these users can reach, and only root can write to. */
  readonly dir: string;
}

/** Why tests with build users do not run, if so. */
export const rootMissing: string | false =
  process.getuid?.() === 0 ? false : 'takes root, who alone becomes other users';

const FIRST_UID = 64_100;
const GID = 64_099;

export async function makeBuildUsers(group: string, count = 2): Promise<FakeUsers> {
  const dir = await mkdtemp('/run/sluice-test-');
  await chmod(dir, 0o755);
  const uids = Array.from({ length: count }, (_, index) => FIRST_UID + index);
  const names = uids.map((uid) => `build${uid}`);
  const script = `#!/bin/sh
case $1 in
  group) [ "$2" = ${group} ] && echo "${group}:x:${GID}:${names.join()}";;
  passwd) ${uids.map((uid, index) => `echo "${names[index]}:x:${uid}:${GID}::/:/bin/false"`).join('; ')};;
  initgroups) echo "$2 ${GID}";;
esac
`;
  await writeFile(join(dir, 'getent'), script, { mode: 0o755 });
  const path = process.env.PATH;
  process.env.PATH = `${dir}:${path}`;
  return {
    group,
    gid: GID,
    uids,
    dir,
    [Symbol.asyncDispose]: async () => {
      process.env.PATH = path;
      await removeTree(dir);
    },
  };
}
