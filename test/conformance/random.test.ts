import { SystemRandom } from '../../src/adapters/system-random.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { randomConformance } from './random.ts'

randomConformance('SystemRandom', () => new SystemRandom())
randomConformance('SeededRandom', () => new SeededRandom(7))
