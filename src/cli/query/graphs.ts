/**
 * The references of paths as a graph for other programs: dot, as Graphviz reads it, and GraphML.
 *
 * Source: Nix 2.35 nix-store/dotgraph.cc, graphml.cc.
 */

import type { PathInfos } from '../../formats/references-first.ts';
import { pathName, type StorePath } from '../../formats/store-path.ts';
import { WorkList } from './work-list.ts';

const COLOURS = ['black', 'red', 'green', 'blue', 'magenta', 'burlywood'] as const;

/** @param infos - of all paths in the closures of `roots`. */
export function* dotLines(roots: Iterable<StorePath>, infos: PathInfos): Generator<string> {
  yield 'digraph G {';
  let edges = 0;
  for (const [path, others] of walk(roots, infos)) {
    yield `"${path}" [label = "${pathName(path)}", shape = box, style = filled, fillcolor = "#ff0000"];`;
    for (const other of others) yield `"${other}" -> "${path}" [color = "${COLOURS[edges++ % COLOURS.length]}"];`;
  }
  yield '}';
}

/** @param infos - of all paths in the closures of `roots`. */
export function* graphmlLines(roots: Iterable<StorePath>, infos: PathInfos): Generator<string> {
  yield* GRAPHML_START;
  for (const [path, others] of walk(roots, infos)) {
    const type = path.endsWith('.drv') ? 'derivation' : 'output-path';
    yield `  <node id="${path}">`;
    yield `    <data key="narSize">${infos.get(path)!.narSize}</data>`;
    yield `    <data key="name">${symbolicName(path)}</data>`;
    yield `    <data key="type">${type}</data>`;
    yield '  </node>';
    for (const other of others) yield `  <edge source="${path}" target="${other}"/>`;
  }
  yield '</graph>';
  yield '</graphml>';
}

const GRAPHML_START = [
  "<?xml version='1.0' encoding='utf-8'?>",
  "<graphml xmlns='http://graphml.graphdrawing.org/xmlns'",
  "    xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'",
  "    xsi:schemaLocation='http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd'>",
  "<key id='narSize' for='node' attr.name='narSize' attr.type='int'/>" +
    "<key id='name' for='node' attr.name='name' attr.type='string'/>" +
    "<key id='type' for='node' attr.name='type' attr.type='string'/>" +
    "<graph id='G' edgedefault='directed'>",
] as const;

/** As Nix has it: the name up to its first dash, and with it. */
function symbolicName(path: StorePath): string {
  const name = pathName(path);
  const dash = name.indexOf('-');
  return dash < 0 ? '' : name.slice(0, dash + 1);
}

function* walk(roots: Iterable<StorePath>, infos: PathInfos): Generator<readonly [StorePath, readonly StorePath[]]> {
  const work = new WorkList(roots);
  for (const path of work) {
    const others = infos.get(path)!.references.filter((each) => each !== path);
    for (const other of others) work.add(other);
    yield [path, others];
  }
}
