/** `sluice demo`: the main job from end to end, on the npm packages that are installed beside it. */
import { mkdir, mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '../../stores/remove-tree.ts';
import type { Cli, CommandModule } from '../command.ts';
import { invocation } from '../demo/invocation.ts';
import { type Demo, makeCache, makeStore, substitute, verify } from '../demo/phases.ts';
import { summarise, whatNext } from '../demo/summary.ts';

export const demoCommand: CommandModule = {
  configure(command, cli) {
    command.addHelpText('after', ABOUT).action(() => demo(cli));
  },
};

const ABOUT = `
Makes a store of the npm packages that are installed beside sluice, signs it into a binary cache, serves that over HTTP
on the loopback interface, substitutes everything into a fresh store, and verifies the result. It needs no Nix, no
network and no special rights. What it makes is in a directory of its own for temporary files, and stays there; it says
at the end how to remove it.

Example:
  sluice demo`;

async function demo(cli: Cli): Promise<void> {
  const work = await cli.startWork();
  await using unfinished = new AsyncDisposableStack();
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'sluice-demo-')));
  unfinished.defer(() => removeTree(directory));
  const scratch = join(directory, 'scratch');
  await mkdir(scratch);
  const run: Demo = { directory, scratch, settings: cli.settings, work };
  const say = (text: string): void => work.reporter.say('notice', text);

  say('making a store of the installed npm packages, each one a store path…');
  const made = await timed(() => makeStore(run));
  const { top, printedTop } = made.value;
  say('compressing and signing it into a binary cache…');
  const cached = await timed(() => makeCache(run, top));
  const { publicKey } = cached.value;
  await removeTree(scratch);
  say('serving the cache over HTTP, and substituting everything from it into a fresh store…');
  const substituted = await timed(() => substitute(run, top, publicKey));
  say('verifying every file of the fresh store…');
  const verified = await timed(() => verify(run));

  const next = whatNext({ directory, top: printedTop, publicKey, sluice: invocation(process) });
  await cli.stdout.write(`${summarise({ made, cached, substituted, verified })}\n${next}`);
  unfinished.move();
}

async function timed<T>(phase: () => Promise<T>): Promise<{ readonly value: T; readonly milliseconds: number }> {
  const start = performance.now();
  return { value: await phase(), milliseconds: performance.now() - start };
}
