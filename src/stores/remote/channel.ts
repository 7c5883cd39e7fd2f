/** How bytes come from and go to a store elsewhere, whatever carries them. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { StoreError, TransferError } from '../../errors.ts';

/** Two streams of bytes, and what is at their other end. */
export interface Channel {
  /** Nobody else reads from it. */
  readonly input: Readable;
  readonly output: Writable;
  /** Why it ended, as far as the other end has said it in another way; waits for that a moment. */
  explain(): Promise<Explanation | undefined>;
  /** Hears lines that come beside the protocol, such as the log of a build. */
  onLine: ((line: string) => void) | undefined;
  /** Ends it at once, with whatever is at the other end of it. */
  destroy(): void;
}

/** Why a channel ended. */
export interface Explanation {
  readonly message: string;
  /** Whether it may go better the next time. */
  readonly transient: boolean;
}

/** What to do about a socket that cannot be connected to, by the code of Node. */
const HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'is nix-daemon running?',
  ECONNREFUSED: 'is nix-daemon running?',
  EACCES: 'the user who runs this may not speak to the daemon',
};

/**
 * Connects to a Unix socket.
 *
 * @throws {TransferError} where nobody listens there, {@link StoreError} on what is no name of a socket.
 */
export async function connectUnix(path: string, uri: string, signal: AbortSignal): Promise<Channel> {
  signal.throwIfAborted();
  const socket = connect({ path });
  try {
    await once(socket, 'connect', { signal });
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    const { code = '', message } = error as NodeJS.ErrnoException;
    const context = { cause: error, hint: HINTS[code] };
    if (code === 'EINVAL' || code === 'ENAMETOOLONG') {
      throw new StoreError(`cannot connect to '${uri}': '${path}' is too long for a socket`, context);
    }
    throw new TransferError(`cannot connect to '${uri}': ${message}`, { ...context, transient: code !== 'EACCES' });
  }
  return {
    input: socket,
    output: socket,
    onLine: undefined,
    explain: async () => undefined,
    destroy: () => void socket.destroy(),
  };
}
