/** Substitution of one path: exports it from the source store, checks it, and unpacks it where it is told to. */
import { type Handler, serve } from '../src/pool/serve.ts';
import { TransferMeter } from '../src/pool/transfer-meter.ts';
import { NarRestorer } from '../src/stores/nar-fs.ts';
import { openStoreOnce } from '../src/stores/open-store.ts';
import { removeTree } from '../src/stores/remove-tree.ts';
import { verifyNar } from '../src/stores/verify-nar.ts';

const substitute: Handler<'substitute'> = serve(async ({ from, info, destination, settings }, { signal, report }) => {
  const meter = new TransferMeter();
  const source = await openStoreOnce(from, settings);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeTree(destination));
  using restorer = new NarRestorer(destination);

  const options = { signal, onDownload: meter.downloaded };
  const nar = verifyNar(source.storeDir, info, (sink) => source.narFromPath(info, sink, options));
  await nar((chunk) => {
    signal.throwIfAborted();
    restorer.push(chunk);
    meter.unpacked(chunk.length);
    report(meter.progress);
  });
  restorer.finish();

  undo.move(); // what was unpacked is the main thread's from here on
  return meter.result();
});
export default substitute;
