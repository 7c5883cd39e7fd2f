/** Whatever ends Sluice ends its builders, and the next build starts afresh. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildsMissing, locationOf, MACHINE, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { processesNamed } from '../support/processes.ts';
import { makeScratch } from '../support/scratch.ts';

const PROCESS = fileURLToPath(new URL('../support/build-process.ts', import.meta.url));
/** In milliseconds: how long the kernel may take. */
const SOON = 5_000;

const WAYS = [
  ['in its process group', 'true', '(SLEEP &)', '/bin/sleep 45671'],
  ['in its process group', 'false', '(SLEEP &)', '/bin/sleep 45672'],
  ['that has left its process group', 'true', '(/usr/bin/setsid SLEEP &)', '/bin/sleep 45673'],
  ['that has left its process group', 'false', '(/usr/bin/setsid SLEEP &)', '/bin/sleep 45674'],
  [
    'in another directory with other variables',
    'false',
    '(cd /; export TMPDIR=/; /usr/bin/setsid SLEEP &)',
    '/bin/sleep 45675',
  ],
] as const;

for (const [which, sandbox, start, sleep] of WAYS) {
  test(`no process of a build ${which} outlives a kill -9, sandbox = ${sandbox}`, { skip: buildsMissing }, async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    // The second time it comes to its end: what the first left in the way of its output is gone by then.
    const flag = `${scratch.path}/again`;
    const first = `echo half > $out; ${start.replace('SLEEP', sleep)}; echo started; ${sleep}`;
    const script = `[ -e ${flag} ] || { ${first}; }; echo whole > $out`;
    const drvPath = await builds.instantiate(shellDerivation('killed', script));
    using child = spawn(process.execPath, [PROCESS, scratch.path, drvPath, sandbox], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    assert.notEqual((await processesNamed(sleep)).length, 0);
    child.kill('SIGKILL');
    const deadline = Date.now() + SOON;
    while ((await processesNamed(sleep)).length > 0) {
      assert.ok(Date.now() < deadline, 'a builder is still there');
      await delay(10);
    }
    await writeFile(flag, '');
    const sandboxPaths = [...MACHINE, flag];
    const { reply } = await builds.build(await builds.request(drvPath), { settings: { sandbox, sandboxPaths } });
    assert.equal(await readFile(locationOf(reply), 'utf8'), 'whole\n');
  });
}
