/** A GET request straight through an agent. By hand: all of undici would change what its parts can do. */
import type { HttpAgent } from '../../src/stores/http/agent.ts';

/** @returns the body. */
export async function getBody(url: string, agent: HttpAgent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const { origin, pathname, search } = new URL(url);
  let received = '';
  agent.dispatch(
    { origin, path: pathname + search, method: 'GET' },
    {
      onRequestStart: () => {},
      onResponseStart: () => {
        received = '';
      },
      onResponseData: (_, chunk) => {
        received += chunk;
      },
      onResponseEnd: () => resolve(received),
      onResponseError: (_, error) => reject(error),
    },
  );
  return await promise;
}
