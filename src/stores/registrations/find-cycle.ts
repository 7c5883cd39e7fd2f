/** Cycles in a graph of references. */
import type { Edges } from '../gc/edges.ts';

const NEW = 0;
const OPEN = 1;
const DONE = 2;

/** @returns a node that is on a cycle, where there is one; edges from a node to itself do not count. */
export function findCycle(nodes: number, edges: Edges): number | undefined {
  const states = new Uint8Array(nodes);
  /** The nodes that are open, and how many of their edges have been followed. */
  const path = new Uint32Array(nodes);
  const followed = new Uint32Array(nodes);
  for (let start = 0; start < nodes; start++) {
    if (states[start] !== NEW) continue;
    let depth = 0;
    path[0] = start;
    states[start] = OPEN;
    while (depth >= 0) {
      const node = path[depth]!;
      const next = edges.of(node)[followed[node]!++];
      if (next === undefined) {
        states[node] = DONE;
        depth--;
      } else if (states[next] === OPEN && next !== node) return next;
      else if (states[next] === NEW) {
        states[next] = OPEN;
        path[++depth] = next;
      }
    }
  }
  return undefined;
}
