/** Breaking connections off. */
import type { Socket } from 'node:net';

/**
 * Ends a connection with a reset, so that the other side gets ECONNRESET. One that is being shut down is closed instead:
 * Node 24 takes a reset that the system refuses for done, and then waits for that handle for ever when the process ends.
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
