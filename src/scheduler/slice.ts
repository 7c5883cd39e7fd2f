/**
 * For how long one kind of work, of which there may be much, keeps the event loop before others have their turn, in
 * milliseconds. All kinds may come in one round of the loop, each with what it entails: together they stay below 20.
 */
export const SLICE = 2;
