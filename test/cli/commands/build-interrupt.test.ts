/** Ctrl-C in the middle of `build`: a process of its own, as signals go to one. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCommandBuilds } from '../../support/command-builds.ts';
import { processesNamed } from '../../support/processes.ts';
import { MAIN } from '../../support/run.ts';

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} ends builders, leaves nothing, and makes the exit code ${code}`, async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    // The argument is another for every run, so that its processes can be told from others.
    const endless = `/bin/sleep 6${process.pid}${code}`;
    const made = await builds.add('endless', `echo begun; echo > $out; ${endless}; true`);
    const flags = ['--store', builds.uri, '--no-sandbox', '--no-substitute', '--build-users-group', ''];
    const child = spawn(process.execPath, [MAIN, 'build', '-L', ...flags, builds.full(made.drvPath)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(child, 'exit');
    let said = '';
    for await (const chunk of child.stderr.setEncoding('utf8') as AsyncIterable<string>) {
      if (said.includes('endless> begun')) continue;
      said += chunk;
      if (said.includes('endless> begun')) child.kill(signal);
    }
    assert.deepEqual(await ended, [code, null]);
    assert.deepEqual(await processesNamed(endless), []);
    const left = readdirSync(builds.storeDir).filter((name) => !name.endsWith('.drv') && name !== '.links');
    assert.deepEqual(left, []);
    const buildDirs = join(builds.dir, 'var/builds');
    assert.deepEqual(existsSync(buildDirs) ? readdirSync(buildDirs) : [], []);
  });
}
