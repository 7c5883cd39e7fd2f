/** Sluice as its users have it: built, packed and unpacked, so that nothing of the checkout is measured by mistake. */
import { mkdir, symlink } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lines, output } from '../../test/support/run.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Packs the checkout into a directory, which also builds it.
 *
 * @returns the entry of the command line. Its dependencies are those of the checkout.
 */
export async function packSluice(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const quiet = ['--silent', '--no-update-notifier'];
  const packed = await output('npm', ['pack', ...quiet, '--pack-destination', directory], { cwd: ROOT, env: npmEnv() });
  await output('tar', ['-xzf', join(directory, lines(packed).at(-1)!), '-C', directory]);
  await symlink(join(ROOT, 'node_modules'), join(directory, 'package/node_modules'));
  return join(directory, 'package/dist/src/cli/main.js');
}

/** With this Node before all others, and without what an npm that runs us has set for its scripts. */
function npmEnv(): Record<string, string | undefined> {
  const own = Object.keys(process.env).filter((name) => /^npm_/i.test(name));
  return {
    ...Object.fromEntries(own.map((name) => [name, undefined])),
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
  };
}
