/**
 * Random: the only source of chance. The system's is unpredictable (ids, jitter); the simulator's is a seeded
 * generator, so that a seed replays.
 */

export interface Random {
  /** Uniform in [0, 1). */
  float(): number
  /** `length` fresh random bytes, owned by the caller. */
  bytes(length: number): Uint8Array
}
