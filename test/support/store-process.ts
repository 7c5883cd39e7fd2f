/**
 * A process that uses a local store, for tests that need a second one: `node store-process.ts COMMAND ROOT [ARGUMENT…]`.
 * It prints one line of JSON an answer, and goes on, where it waits, when its stdin ends.
 */
import { once } from 'node:events';
import type { SluiceError } from '../../src/errors.ts';
import { openTestStore, stage } from './local-store.ts';
import { numberedObject } from './numbered-objects.ts';
import { add } from './store-objects.ts';

const say = (answer: unknown): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
const told = (): Promise<unknown> => once(process.stdin.resume(), 'end');

const COMMANDS: Readonly<Record<string, (root: string, ...rest: string[]) => Promise<void>>> = {
  /** Opens a staging directory with something in it, and keeps it until it is told to go on. */
  async stage(root) {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(root, resources);
    const staging = resources.use(await store.openStaging());
    stage(staging, numberedObject(0));
    say(staging.dir);
    await told();
    await staging[Symbol.asyncDispose]();
    say('removed');
  },

  /** Stages `count` objects, waits, and registers them. */
  async register(root, count) {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(root, resources);
    const staging = resources.use(await store.openStaging());
    const batch = stage(staging, ...Array.from({ length: Number(count) }, (_, id) => numberedObject(id)));
    say('staged');
    await told();
    say((await store.registerStaged(batch)).map(({ state }) => state));
  },

  /** All valid paths. */
  async list(root) {
    await using resources = new AsyncDisposableStack();
    say(await (await openTestStore(root, resources)).queryAllValidPaths());
  },

  /** Adds an object, then the same again, then reads it back. */
  async add(root) {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(root, resources);
    await add(store, numberedObject(0), numberedObject(0), numberedObject(1));
    say(await store.queryAllValidPaths());
  },
};

const [command, root, ...rest] = process.argv.slice(2);
await COMMANDS[command!]!(root!, ...rest).catch((error: SluiceError) => say(`${error.code} ${error.message}`));
