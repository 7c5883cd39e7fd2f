/** Something on a Unix socket that says what it is told to, whatever it hears. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

export interface ScriptedPeer {
  /** `unix://SOCKET`. */
  readonly uri: string;
  /** How often it was connected to. */
  readonly connections: () => number;
}

/** @param speak - is called for each connection. */
export async function startPeer(
  directory: string,
  resources: AsyncDisposableStack,
  speak: (socket: Socket) => void,
): Promise<ScriptedPeer> {
  const path = `${directory}/peer`;
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    speak(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  resources.defer(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { uri: `unix://${path}`, connections: () => connections };
}
