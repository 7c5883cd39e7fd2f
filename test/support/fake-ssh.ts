/** A program in the place of `ssh`, to make it hang, or to do without a server. */
import { chmodSync, writeFileSync } from 'node:fs';

/** Runs the command here. */
export const LOCAL_SSH = 'while [ "$1" != -- ]; do shift; done; shift; exec sh -c "$*"';

/** Puts a shell script called `ssh` in front of the system's, for this process; temporary files go to `directory`, too. */
export function installSsh(directory: string, script: string, resources: AsyncDisposableStack): void {
  writeFileSync(`${directory}/ssh`, `#!/bin/sh\n${script}\n`);
  chmodSync(`${directory}/ssh`, 0o755);
  const { PATH, TMPDIR } = process.env;
  Object.assign(process.env, { PATH: `${directory}:${PATH}`, TMPDIR: directory });
  resources.defer(() => {
    process.env.PATH = PATH;
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
}
