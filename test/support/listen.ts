/** Servers of tests, on free ports of the loopback interface. */
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';

/** Starts a server, and ends it with all its connections when `resources` are disposed. @returns its port. */
export async function listen(server: Server, resources: AsyncDisposableStack): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  resources.defer(async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}
