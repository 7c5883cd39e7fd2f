import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invocation, shellWord } from '../../../src/cli/demo/invocation.ts';
import { output } from '../../support/run.ts';

const MAIN = '/work dir/src/cli/main.ts';

for (const [how, facts, wanted] of [
  ['by npm start', { main: MAIN, env: { npm_lifecycle_event: 'start' } }, 'npm run -s sluice --'],
  ['by npx', { main: '/x/node_modules/.bin/sluice', env: { npm_lifecycle_event: 'npx' } }, 'npx sluice'],
  ['from PATH', { main: '/usr/bin/sluice', env: { PATH: '/bin:/usr/bin' } }, 'sluice'],
  ['from elsewhere', { main: '/opt/bin/sluice', env: { PATH: '/usr/bin' } }, '/usr/bin/node /opt/bin/sluice'],
  ['from a checkout', { main: MAIN, env: { PATH: '/usr/bin' } }, `/usr/bin/node '${MAIN}'`],
] as const) {
  test(`who runs it ${how} is told to run it so again`, () => {
    const argv = ['/usr/bin/node', facts.main, 'demo'];
    assert.equal(invocation({ argv, execPath: '/usr/bin/node', env: facts.env }), wanted);
  });
}

test('a shell reads words back as they were', async () => {
  const words = ['plain', '', 'a b', "it's", '$HOME `x` "y" \\', '/tmp/a-b_c.d:e=f', 'key-1:AB+/=', '*', '~', 'ä'];
  const printed = await output('sh', ['-c', `printf '%s\\n' ${words.map(shellWord).join(' ')}`]);
  assert.equal(printed, `${words.join('\n')}\n`);
});
