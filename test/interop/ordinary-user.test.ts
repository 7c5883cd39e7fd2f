/** Builds in a sandbox by somebody who is not root: they come out as those of stock Nix, and builders see the same. */
import assert from 'node:assert/strict';
import { chmod, chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MACHINE } from '../support/local-builds.ts';
import { lines, MAIN, needs, output, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

/** Who owns nothing on any machine. */
const NOBODY = { uid: 65534, gid: 65534 } as const;
const AS_NOBODY = ['--reuid', `${NOBODY.uid}`, '--regid', `${NOBODY.gid}`, '--clear-groups', '--'];
const tools = needs('nix-store', 'nix-instantiate', 'bwrap', 'setpriv', 'unshare', 'mount').skip;
const skip = tools === false && process.getuid?.() !== 0 ? 'takes root, who becomes another user' : tools;

/**
 * All but what one can know only with bubblewrap, which has a user namespace around that of the builder and lets nobody
 * gain privileges.
 */
const SEEN = `{ id; pwd; umask; hostname; env | sort; ls --ignore=core / /dev; ls -A /tmp /build /nix/store; cat $inputs
  stat -c '%a %u %g' /nix /nix/store /build /tmp /etc /dev/shm; cat /etc/passwd /etc/group /etc/hosts
  grep -E '^(SigIgn|SigBlk|CapEff|Groups)' /proc/self/status; cat /proc/net/dev
} > $out 2>&1`;

function expression(inputs: number): string {
  return `let
    system = builtins.currentSystem;
    run = name: script: attributes: derivation (attributes // { inherit name system; builder = "/bin/sh"; args = [ "-c" "PATH=/usr/bin:/bin; \${script}" ]; });
    file = n: run "file-\${toString n}" "echo \${toString n} > $out" { };
    directory = n: run "directory-\${toString n}" "mkdir $out; echo \${toString n} > $out/file" { };
    link = target: run "link" "ln -s $target $out" { inherit target; };
  in run "seen" ''${SEEN}'' {
    inputs = map file (builtins.genList (n: n) ${inputs}) ++ [ (link (file 0)) ];
    directories = map directory (builtins.genList (n: n) ${inputs});
  }`;
}

// The second has its mounts made ahead.
for (const inputs of [2, 20]) {
  test(`an ordinary user builds in a sandbox with ${2 * inputs} inputs as stock Nix does`, { skip }, async (t) => {
    if ((await run('setpriv', [...AS_NOBODY, 'test', '-r', MAIN])).code !== 0)
      return t.skip('the project is closed to others');
    await using scratch = await makeScratch();
    await chmod(scratch.path, 0o755);
    await chown(scratch.path, NOBODY.uid, NOBODY.gid);
    const file = join(scratch.path, 'expression.nix');
    await writeFile(file, expression(inputs));
    const settings = ['build-users-group =', 'substitute = false', 'sandbox = true', 'sandbox-fallback = false'];
    settings.push(`sandbox-paths = ${MACHINE.join(' ')}`, 'system-features =', 'cores = 3');

    async function seen(name: string, ...build: readonly string[]): Promise<string[]> {
      const root = join(scratch.path, name);
      const store = `local?root=${root}`;
      const env = {
        ...{ HOME: scratch.path, NIX_CONF_DIR: join(scratch.path, 'none'), NIX_USER_CONF_FILES: '' },
        ...{ NIX_CONFIG: settings.join('\n'), NIX_REMOTE: store },
      };
      const as = (...command: string[]): Promise<string> => output('setpriv', [...AS_NOBODY, ...command], { env });
      const [drvPath] = lines(await as('nix-instantiate', file));
      await as(...build, drvPath!);
      const [made] = lines(await as('nix-store', '--query', '--outputs', drvPath!));
      return lines(await readFile(join(root, made!), 'utf8'));
    }

    const theirs = await seen('theirs', 'nix-store', '--realise');
    assert.deepEqual(
      await seen('ours', process.execPath, MAIN, 'build', '--store', `local?root=${join(scratch.path, 'ours')}`),
      theirs,
    );
    assert.ok(theirs.some((line) => line.startsWith('uid=1000')));
  });
}
