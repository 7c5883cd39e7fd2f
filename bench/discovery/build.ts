/** The command line as its users have it: built, and away from the checkout. */
import { copyFile, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { output } from '../../test/support/run.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @returns the entry of the command line. Its dependencies are those of the checkout. */
export async function buildSluice(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  await copyFile(join(ROOT, 'package.json'), join(directory, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  await output(process.execPath, ['build.ts', join(directory, 'dist')], { cwd: ROOT });
  return join(directory, 'dist/src/cli/main.js');
}
