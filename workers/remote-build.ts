/** A build in another store: inputs go there, outputs come back, and its log is told meanwhile. */
import { asBuildError, buildRemotely } from '../src/build/remote-build.ts';
import { UsageError } from '../src/errors.ts';
import { isBuildSuccess } from '../src/formats/build-result.ts';
import { printStorePath } from '../src/formats/store-path.ts';
import { parseStoreReference, printStoreReference } from '../src/formats/store-reference.ts';
import type { Handler } from '../src/pool/serve.ts';
import { LocalStore } from '../src/stores/local-store.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';
import { isRemoteStore } from '../src/stores/remote-store.ts';

/** The kinds of stores that have connections. */
const CONNECTED: readonly string[] = ['daemon', 'ssh', 'ssh-ng', 'unix'];

const remoteBuild: Handler<'remoteBuild'> = async (request, { settings, signal, progress, tell }) => {
  const [localStore, on] = await Promise.all([
    openStoreOnce(request.store, settings),
    openStoreOnce(withoutLimit(request.on), settings),
  ]);
  if (!(localStore instanceof LocalStore)) throw new Error(`unreachable: '${localStore.uri}' is no local store`);
  if (!isRemoteStore(on)) {
    throw new UsageError(`'${on.uri}' does not build`, { hint: 'a machine is named as ssh-ng://HOST or ssh://HOST' });
  }
  if (request.mode !== 'normal') {
    throw new UsageError(`a build in another store cannot ${request.mode}`, { hint: 'do it on this machine' });
  }
  const logTail: string[] = [];
  const { result, outputs } = await buildRemotely(request, {
    on,
    machine: request.on,
    localStore,
    staging: request.staging,
    usesSubstitutes: settings.buildersUseSubstitutes,
    signal,
    maxSilentTime: settings.maxSilentTime,
    timeout: settings.timeout,
    maxLogSize: settings.maxBuildLogSize,
    keepFailed: settings.keepFailed,
    onLogLine: (line) => {
      logTail.push(line);
      if (logTail.length > settings.logLines) logTail.shift();
      tell({ kind: 'log', lines: [line] });
    },
    onPhase: (phase) => tell({ kind: 'phase', phase }),
    onBuilt: () => tell({ kind: 'built' }),
    onSent: (bytes) => progress.addUploaded(bytes),
    onFetched: (bytes) => progress.addDownloaded(bytes),
  });
  if (!isBuildSuccess(result.status)) {
    throw asBuildError(result, { drvPath: printStorePath(on.storeDir, request.drvPath), uri: on.uri, logTail });
  }
  return { outputs, startTime: result.startTime, stopTime: result.stopTime };
};
export default remoteBuild;

/** Each build has a connection for itself: how many there are at once the scheduler decides. */
function withoutLimit(uri: string): string {
  const reference = parseStoreReference(uri);
  if (!CONNECTED.includes(reference.scheme)) return uri;
  return printStoreReference({ ...reference, params: { ...reference.params, 'max-connections': '1000' } });
}
