import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PathInfo } from '../../../src/formats/path-info.ts';
import type { StorePath } from '../../../src/formats/store-path.ts';
import { InfoBatches } from '../../../src/stores/remote/info-batches.ts';
import { makeObject } from '../../support/store-objects.ts';
import { file } from '../../support/trees.ts';

const INFOS = Array.from({ length: 1_200 }, (_, index) => makeObject(`i${index}`, file(`${index}`)).info);

/** Answers by hand. */
class Questions {
  readonly asked: (readonly StorePath[])[] = [];
  readonly impatient: (boolean | undefined)[] = [];
  readonly #answers: PromiseWithResolvers<Map<StorePath, PathInfo>>[] = [];
  readonly batches: InfoBatches;

  constructor(limit: number) {
    this.batches = new InfoBatches((paths, { impatient }) => {
      this.asked.push(paths);
      this.impatient.push(impatient);
      const answer = Promise.withResolvers<Map<StorePath, PathInfo>>();
      this.#answers.push(answer);
      return answer.promise;
    }, limit);
  }

  answer(index: number): void {
    const all = new Map(INFOS.slice(1).map((info) => [info.path, info]));
    this.#answers[index]!.resolve(
      new Map(this.asked[index]!.flatMap((path) => (all.has(path) ? [[path, all.get(path)!]] : []))),
    );
  }

  fail(index: number, error: Error): void {
    this.#answers[index]!.reject(error);
  }
}

const ask = ({ batches }: Questions, ...indexes: readonly number[]): Promise<PathInfo | undefined>[] =>
  indexes.map((index) => batches.ask(INFOS[index]!.path));

test('what is asked in one turn is one question, each path once', async () => {
  const questions = new Questions(1);
  const answers = ask(questions, 0, 1, 2, 1);
  await Promise.resolve();
  assert.deepEqual(
    questions.asked.map((paths) => paths.length),
    [3],
  );
  questions.answer(0);
  assert.deepEqual(await Promise.all(answers), [undefined, INFOS[1], INFOS[2], INFOS[1]]);
});

test('what is asked while the other side is busy waits for it, and is one question then', async () => {
  const questions = new Questions(1);
  const first = ask(questions, 1);
  await Promise.resolve();
  const later = [...ask(questions, 2), ...ask(questions, 3)];
  await Promise.resolve();
  assert.equal(questions.asked.length, 1);
  questions.answer(0);
  await Promise.all(first);
  await Promise.resolve();
  assert.equal(questions.asked.length, 2);
  questions.answer(1);
  assert.deepEqual(await Promise.all(later), [INFOS[2], INFOS[3]]);
});

test('more than fit into one question are asked over as many connections as there may be', async () => {
  const questions = new Questions(2);
  const answers = ask(questions, ...INFOS.keys());
  await new Promise(setImmediate);
  assert.deepEqual(
    questions.asked.map((paths) => paths.length),
    [500, 500],
  );
  questions.answer(1);
  await new Promise(setImmediate);
  assert.equal(questions.asked[2]?.length, 200);
  questions.answer(0);
  questions.answer(2);
  assert.equal((await Promise.all(answers)).filter((info) => info !== undefined).length, INFOS.length - 1);
});

test('a failure is that of all who asked, and the next question is a new one', async () => {
  const questions = new Questions(1);
  const failure = new Error('gone');
  const answers = Promise.allSettled(ask(questions, 1, 2));
  await Promise.resolve();
  questions.fail(0, failure);
  assert.deepEqual(
    (await answers).map((each) => each.status === 'rejected' && each.reason),
    [failure, failure],
  );
  const [again] = ask(questions, 1);
  await new Promise(setImmediate);
  questions.answer(1);
  assert.equal(await again, INFOS[1]);
});

test('who waits no longer leaves alone, and impatience is that of the question', async () => {
  const questions = new Questions(1);
  const controller = new AbortController();
  const reason = new Error('not needed any more');
  const left = questions.batches.ask(INFOS[1]!.path, { signal: controller.signal, impatient: true });
  const [stays] = ask(questions, 2);
  await Promise.resolve();
  controller.abort(reason);
  await assert.rejects(left, reason);
  questions.answer(0);
  assert.equal(await stays, INFOS[2]);
  assert.deepEqual(questions.impatient, [true]);
  await assert.rejects(questions.batches.ask(INFOS[1]!.path, { signal: controller.signal }), reason);
});
