import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LruMap } from '../../src/stores/lru-map.ts';

describe('a map of bounded size', () => {
  test('drops what has not been asked for the longest', () => {
    const map = new LruMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    assert.equal(map.get('a'), 1);
    map.set('c', 3);
    assert.deepEqual([map.get('a'), map.get('b'), map.get('c')], [1, undefined, 3]);
  });

  test('counts a value that is replaced as used', () => {
    const map = new LruMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    map.set('a', 10);
    map.set('c', 3);
    assert.deepEqual([map.get('a'), map.get('b'), map.get('c'), map.size], [10, undefined, 3, 2]);
  });

  test('keeps nothing where there is no room', () => {
    const map = new LruMap<string, number>(0);
    map.set('a', 1);
    assert.equal(map.get('a'), undefined);
    assert.equal(map.size, 0);
  });

  test('behaves as a list that is sorted by use', () => {
    const key = fc.integer({ min: 0, max: 6 });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), key }),
      fc.record({ kind: fc.constant('get' as const), key }),
      fc.record({ kind: fc.constant('delete' as const), key }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step), (limit, steps) => {
        const map = new LruMap<number, number>(limit);
        let list: (readonly [key: number, value: number])[] = [];
        for (const [value, { kind, key }] of steps.entries()) {
          const known = list.find(([each]) => each === key);
          const others = list.filter(([each]) => each !== key);
          if (kind === 'set') {
            map.set(key, value);
            list = [...others, [key, value] as const].slice(-limit);
          } else if (kind === 'get') {
            assert.equal(map.get(key), known?.[1]);
            if (known !== undefined) list = [...others, known];
          } else {
            assert.equal(map.delete(key), known !== undefined);
            list = others;
          }
          assert.equal(map.size, list.length);
        }
      }),
    );
  });
});
