/**
 * Running setting `diff-hook`, which shows how two outputs differ.
 *
 * Source: Nix 2.35 manual, "diff-hook"; libstore/unix/build/derivation-builder.cc, handleDiffHook.
 */
import { execFile } from 'node:child_process';

export interface DiffHookOptions {
  readonly signal: AbortSignal;
  /** Who runs it; by default who runs this. */
  readonly buildUid: number | undefined;
  readonly buildGid?: number | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
}

/** Bytes of its output that are told. */
const MOST_TOLD = 1024 * 1024;

/** Tells what the hook prints. That it fails is told, too, and nothing else. */
export async function runDiffHook(hook: string, args: readonly string[], options: DiffHookOptions): Promise<void> {
  const { signal, buildUid: uid, buildGid: gid, onMessage } = options;
  const { promise, resolve } = Promise.withResolvers<void>();
  const user = { ...(uid !== undefined && { uid }), ...(gid !== undefined && { gid }) };
  execFile(hook, args, { cwd: '/', signal, maxBuffer: MOST_TOLD, ...user }, (error, stdout) => {
    if (stdout !== '') onMessage?.(stdout.trimEnd());
    if (error !== null && !signal.aborted) onMessage?.(`diff hook execution failed: ${error.message.trimEnd()}`);
    resolve();
  });
  await promise;
  signal.throwIfAborted();
}
