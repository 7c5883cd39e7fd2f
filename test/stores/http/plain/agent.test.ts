import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { Dispatcher } from 'undici';
import type { HttpAgent } from '../../../../src/stores/http/agent.ts';
import { PlainAgent, type PlainAgentOptions } from '../../../../src/stores/http/plain/agent.ts';
import type { DispatchOptions } from '../../../../src/stores/http/plain/request.ts';
import { resetSocket } from '../../../support/reset-socket.ts';

/** By a clock that stands still every server is quick. */
const OPTIONS: PlainAgentOptions = {
  limit: 64,
  connectTimeout: 10_000,
  keepAlive: 10_000,
  probeAfter: 10_000,
  now: () => 0,
};
const NONE: HttpAgent = { dispatch: () => assert.fail('nobody else is asked'), destroy: async () => {} };

/** One connection, as the server sees it. */
interface Peer {
  readonly socket: Socket;
  /** Of the requests that have come and have not been answered. */
  readonly waiting: string[];
  /** Answers the next of them. */
  answer(body?: string): void;
}

interface Server {
  readonly origin: string;
  readonly peers: readonly Peer[];
}

/** A server that calls `onRequest` with what has come, be it several requests at once. */
async function serve(resources: AsyncDisposableStack, onRequest: (peer: Peer) => void): Promise<Server> {
  const peers: Peer[] = [];
  const server = createServer((socket) => {
    const waiting: string[] = [];
    const answer = (body = waiting[0]!): void => {
      waiting.shift();
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    };
    const peer = { socket, waiting, answer };
    peers.push(peer);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      for (const [, path] of data.toString().matchAll(/^GET \/(\S*) /gm)) waiting.push(path!);
      onRequest(peer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resources.defer(() => {
    for (const { socket } of peers) socket.destroy();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, peers };
}

function open(resources: AsyncDisposableStack, full: HttpAgent = NONE, options = OPTIONS): PlainAgent {
  return resources.adopt(new PlainAgent(options, full), (agent) => agent.destroy());
}

interface Call extends Promise<string> {
  controller?: Dispatcher.DispatchController;
}

/** Asks for a small file; `onData` is called with each piece. */
function ask(
  agent: HttpAgent,
  origin: string,
  path: string,
  onData: (controller: Dispatcher.DispatchController, chunk: string) => void = () => {},
  options: Partial<DispatchOptions> = {},
): Call {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const call: Call = promise;
  let body = '';
  agent.dispatch(
    { origin, path: `/${path}`, method: 'GET', expectedSize: 100, ...options },
    {
      onRequestStart: (controller) => {
        call.controller = controller;
      },
      onResponseStart: () => {},
      onResponseData: (controller, chunk) => {
        body += chunk;
        onData(controller, chunk.toString());
      },
      onResponseEnd: () => resolve(body),
      onResponseError: (_, error) => reject(error),
    },
  );
  return call;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));
const answerAll = (peer: Peer): void => {
  while (peer.waiting.length > 0) peer.answer();
};

describe('plain requests', () => {
  test('share a few connections, many at once, when the server has been quick', async () => {
    await using resources = new AsyncDisposableStack();
    const atOnce: number[] = [];
    const { origin, peers } = await serve(resources, (peer) => {
      atOnce.push(peer.waiting.length);
      answerAll(peer);
    });
    const agent = open(resources);
    assert.equal(await ask(agent, origin, 'first'), 'first');
    assert.deepEqual(await Promise.all(numbers(200).map((name) => ask(agent, origin, name))), numbers(200));
    assert.ok(Math.max(...atOnce) === 16 && peers.length <= 4, `${atOnce.join(' ')} over ${peers.length} connections`);
  });

  test('have a connection each where the answer may be large, or the server is not known', async () => {
    await using resources = new AsyncDisposableStack();
    const all = Promise.withResolvers<void>();
    const { origin, peers } = await serve(resources, (peer) => {
      if (peers.length === 20) all.resolve();
      void all.promise.then(() => answerAll(peer));
    });
    const agent = open(resources);
    await Promise.all(numbers(20).map((name) => ask(agent, origin, name)));
    await ask(agent, origin, 'quick');
    await Promise.all(numbers(20).map((name) => ask(agent, origin, name, undefined, { expectedSize: 1_000_000 })));
    assert.equal(peers.length, 20);
  });

  test('share few connections, also where more had been made before', async () => {
    await using resources = new AsyncDisposableStack();
    const all = Promise.withResolvers<void>();
    let most = 0;
    const { origin, peers } = await serve(resources, (peer) => {
      if (peers.length === 20) all.resolve();
      most = Math.max(most, peers.filter(({ waiting }) => waiting.length > 0).length);
      void all.promise.then(turn).then(() => answerAll(peer));
    });
    const agent = open(resources);
    await Promise.all(numbers(20).map((name) => ask(agent, origin, name)));
    most = 0;
    assert.deepEqual(await Promise.all(numbers(200).map((name) => ask(agent, origin, name))), numbers(200));
    assert.deepEqual([peers.length, most], [20, 4]);
  });

  for (const [why, waits, shares] of [
    ['share them still where it is this thread that is late', false, true],
    ['have a connection each again where this thread has to wait for the server', true, false],
  ] as const) {
    test(why, async () => {
      await using resources = new AsyncDisposableStack();
      const { origin, peers } = await serve(resources, answerAll);
      let time = 0;
      let step = 0;
      const now = (): number => {
        time += step;
        return time;
      };
      const agent = open(resources, NONE, { ...OPTIONS, now, idle: () => (waits ? time : 0) });
      await ask(agent, origin, 'first');
      step = 10; // whenever somebody looks
      for (const name of numbers(20)) await ask(agent, origin, name);
      await Promise.all(numbers(64).map((name) => ask(agent, origin, name)));
      assert.equal(peers.length <= 4, shares, `${peers.length} connections`);
    });
  }

  test('wait where there are as many connections as there may be', async () => {
    await using resources = new AsyncDisposableStack();
    const { origin, peers } = await serve(resources, answerAll);
    const agent = open(resources, NONE, { ...OPTIONS, limit: 2 });
    const options = { expectedSize: undefined };
    assert.deepEqual(
      await Promise.all(numbers(30).map((name) => ask(agent, origin, name, undefined, options))),
      numbers(30),
    );
    assert.equal(peers.length, 2);
  });

  test('go elsewhere when the one before them is answered late, or the connection ends', async () => {
    for (const fail of [(): void => {}, ({ socket }: Peer): void => resetSocket(socket)]) {
      await using resources = new AsyncDisposableStack();
      let stuck: Peer | undefined;
      const { origin } = await serve(resources, (peer) => {
        if (peer.waiting[0] !== 'stuck' || stuck !== undefined) return answerAll(peer);
        stuck = peer;
        fail(peer);
      });
      const now = (): number => (stuck === undefined ? 0 : 100);
      const agent = open(resources, NONE, { ...OPTIONS, now });
      await ask(agent, origin, 'first');
      const first = ask(agent, origin, 'stuck');
      const others = numbers(10).map((name) => ask(agent, origin, name));
      assert.deepEqual(await Promise.all(others), numbers(10));
      stuck!.answer();
      assert.equal(await first, 'stuck');
    }
  });

  test('are made once more where a server forgets what comes before it has answered', async () => {
    await using resources = new AsyncDisposableStack();
    let isLost = false;
    const { origin } = await serve(resources, (peer) => {
      peer.answer();
      if (peer.waiting.length === 0) return;
      isLost = true;
      peer.waiting.length = 0;
    });
    let time = 0;
    const now = (): number => {
      if (isLost) time += 500; // whenever somebody looks
      return time;
    };
    const agent = open(resources, NONE, { ...OPTIONS, now });
    await ask(agent, origin, 'first');
    assert.deepEqual(await Promise.all(numbers(3).map((name) => ask(agent, origin, name))), numbers(3));
  });

  test('are made once more where a connection a connection that was kept has ended, and fail where a new one does', async () => {
    await using resources = new AsyncDisposableStack();
    let count = 0;
    const { origin } = await serve(resources, (peer) => {
      if (++count === 2 || count > 3) peer.socket.destroy();
      else peer.answer();
    });
    const agent = open(resources);
    assert.equal(await ask(agent, origin, 'a'), 'a');
    assert.equal(await ask(agent, origin, 'b'), 'b');
    await assert.rejects(ask(agent, origin, 'c'));
    assert.equal(count, 5);
  });

  test('are answered the same, wherever the answers are cut', async () => {
    const answers = [
      'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n',
      'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n',
      'HTTP/1.1 200 OK\r\n\r\nghi',
    ].join('');
    for (let cut = 0; cut < answers.length; cut++) {
      await using resources = new AsyncDisposableStack();
      const { origin } = await serve(resources, async (peer) => {
        if (peer.waiting[0] === 'first') return peer.answer();
        peer.socket.setNoDelay(true);
        peer.socket.write(answers.slice(0, cut));
        await turn();
        peer.socket.end(answers.slice(cut));
      });
      const agent = open(resources);
      await ask(agent, origin, 'first');
      const bodies = await Promise.all(numbers(4).map((name) => ask(agent, origin, name)));
      assert.deepEqual(bodies, ['abc', 'def', '', 'ghi'], `cut at ${cut}`);
    }
  });

  test('hand out nothing while they are paused, and hold up those behind them', async () => {
    await using resources = new AsyncDisposableStack();
    const { origin } = await serve(resources, answerAll);
    const agent = open(resources);
    await ask(agent, origin, 'first');
    const order: string[] = [];
    const paused = ask(agent, origin, 'paused', (controller, chunk) => {
      order.push(chunk);
      controller.pause();
      setTimeout(() => {
        order.push('resumed');
        controller.resume();
      }, 20);
    });
    const behind = ask(agent, origin, 'behind', (_, chunk) => void order.push(chunk));
    assert.deepEqual(await Promise.all([paused, behind]), ['paused', 'behind']);
    assert.deepEqual(order, ['paused', 'resumed', 'behind']);
  });

  test('take those behind them along when they are aborted', async () => {
    await using resources = new AsyncDisposableStack();
    const { origin, peers } = await serve(resources, answerAll);
    const agent = open(resources);
    await ask(agent, origin, 'first');
    const aborted = ask(agent, origin, 'aborted', (controller) => controller.abort(new Error('enough')));
    aborted.catch(() => {});
    assert.equal(await ask(agent, origin, 'behind'), 'behind');
    assert.equal(peers.length, 2);
  });

  test('are left to another agent where they are of another kind, or the server is', async () => {
    await using resources = new AsyncDisposableStack();
    const left: unknown[] = [];
    const full: HttpAgent = {
      dispatch: ({ path }, handler) => {
        left.push(path);
        handler.onResponseEnd?.({} as Dispatcher.DispatchController, {});
        return true;
      },
      destroy: async () => {},
    };
    const { origin } = await serve(resources, ({ socket }) => void socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'));
    const agent = open(resources, full);
    await ask(agent, origin, 'head', undefined, { method: 'HEAD' });
    await ask(agent, 'https://127.0.0.1', 'secure');
    await ask(agent, origin, 'header', undefined, { headers: { x: 'a\r\nb: c' } });
    await Promise.all(numbers(2).map((name) => ask(agent, origin, name)));
    await ask(agent, origin, 'after');
    assert.deepEqual(left, ['/head', '/secure', '/header', '/0', '/1', '/after']);
  });

  test('that nobody has asked for end the connection', async () => {
    await using resources = new AsyncDisposableStack();
    const { origin, peers } = await serve(resources, (peer) => {
      peer.answer();
      if (peers.length === 1) peer.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil');
    });
    const agent = open(resources);
    assert.equal(await ask(agent, origin, 'a'), 'a');
    assert.equal(await ask(agent, origin, 'b'), 'b');
    assert.equal(peers.length, 2);
  });

  test('fail when the agent is destroyed, and after that', async () => {
    await using resources = new AsyncDisposableStack();
    const { origin } = await serve(resources, () => {});
    const agent = open(resources, NONE, { ...OPTIONS, limit: 1 });
    const calls = numbers(3).map((name) => assert.rejects(ask(agent, origin, name), { code: 'UND_ERR_DESTROYED' }));
    await turn();
    await agent.destroy();
    await Promise.all(calls);
    await assert.rejects(ask(agent, origin, 'later'), { code: 'UND_ERR_DESTROYED' });
  });
});
