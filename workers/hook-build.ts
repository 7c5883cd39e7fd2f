/** A derivation is offered to setting build-hook, which may build it elsewhere. */
import { BuilderLog } from '../src/build/builder-log.ts';
import { HookKeeper } from '../src/build/hooks/hook-keeper.ts';
import { BuildError, type BuildFailureStatus } from '../src/errors.ts';
import { printStorePath } from '../src/formats/store-path.ts';
import type { HookReply } from '../src/pool/messages.ts';
import type { Handler } from '../src/pool/serve.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';

const ANSWERS = { decline: 'declined', 'decline-permanently': 'declinedPermanently', postpone: 'postponed' } as const;
/** What exit codes of hooks say. */
const STATUSES: Readonly<Record<number, BuildFailureStatus>> = { 100: 'permanentFailure', 101: 'timedOut' };

/** That of this thread. */
const keeper = new HookKeeper();

const hookBuild: Handler<'hookBuild'> = async (request, { settings, signal, tell }) => {
  const { storeDir } = await openStoreOnce(request.store, settings);
  const drvPath = printStorePath(storeDir, request.drvPath);
  const log = new BuilderLog({ tell, tailLines: settings.logLines, onFull: () => {} });
  const { amWilling, features, derivation } = request;
  const offered = await keeper.offer(
    { amWilling, system: derivation.system, drvPath, features },
    { settings, signal, onLine: (line) => log.addLine(line) },
  );
  if (offered.answer !== 'accept') {
    log.finish();
    return { state: ANSWERS[offered.answer] } satisfies HookReply;
  }
  using hook = offered.hook;
  using cancelling = new DisposableStack();
  const cancel = (): void => hook[Symbol.dispose]();
  signal.addEventListener('abort', cancel);
  cancelling.defer(() => signal.removeEventListener('abort', cancel));
  const startTime = now();
  const print = (path: (typeof request.inputPaths)[number]): string => printStorePath(storeDir, path);
  const outputs = request.outputs.map(({ path }) => print(path));
  const code = await hook.build(request.inputPaths.map(print), outputs, (chunk) => log.push(chunk));
  log.finish();
  signal.throwIfAborted();
  if (code === 0) return { state: 'built', startTime, stopTime: now() };
  const status = (code === undefined ? undefined : STATUSES[code]) ?? 'miscFailure';
  throw new BuildError(
    `build hook for '${drvPath}' ${code === undefined ? 'was killed' : `failed with exit code ${code}`}`,
    {
      failure: { status, logTail: log.tail },
    },
  );
};
export default hookBuild;

function now(): number {
  return Math.floor(Date.now() / 1_000);
}
