/** How long an action keeps the event loop. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoopDelay {
  /** The longest that something else had to wait, in milliseconds: also because the thread had no processor. */
  readonly longest: number;
  /** The most processor time that the thread took between two rounds of a timer, in milliseconds. */
  readonly busiest: number;
}

export async function measureLoopDelay(action: () => Promise<void>): Promise<LoopDelay> {
  using resources = new DisposableStack();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let busiest = 0;
  let before = process.threadCpuUsage();
  const look = (): void => {
    const now = process.threadCpuUsage();
    busiest = Math.max(busiest, now.user + now.system - before.user - before.system);
    before = now;
  };
  const timer = setInterval(look, 1);
  resources.defer(() => clearInterval(timer));
  delay.enable();
  resources.defer(() => void delay.disable());
  await action();
  return { longest: delay.max / 1e6, busiest: busiest / 1e3 };
}
