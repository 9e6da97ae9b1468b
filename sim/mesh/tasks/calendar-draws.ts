/**
 * Cron schedules about a night on which clocks change: the mesh's wall clock begins shortly before it, and the patterns
 * are about the local times on both sides, those that nobody's clock shows and those that it shows twice included.
 */

import type { Random } from '../../../src/ports/random.ts'
import type { CronSchedule } from '../../../src/task/schedule.ts'
import { offsetOf } from '../../checkers/calendar.ts'

/** Where clocks change, and when; forwards and back by an hour or half of one, at midnight, at two and at three. */
export const NIGHTS: readonly Night[] = [
  { tz: 'Europe/Berlin', at: Date.UTC(2025, 2, 30, 1) },
  { tz: 'Europe/Berlin', at: Date.UTC(2025, 9, 26, 1) },
  { tz: 'America/New_York', at: Date.UTC(2025, 2, 9, 7) },
  { tz: 'America/New_York', at: Date.UTC(2025, 10, 2, 6) },
  { tz: 'Australia/Lord_Howe', at: Date.UTC(2025, 9, 4, 15, 30) },
  { tz: 'Australia/Lord_Howe', at: Date.UTC(2025, 3, 5, 15) },
  { tz: 'America/Sao_Paulo', at: Date.UTC(2018, 10, 4, 3) },
  { tz: 'America/Sao_Paulo', at: Date.UTC(2019, 1, 17, 2) },
  { tz: 'Africa/Casablanca', at: Date.UTC(2025, 3, 6, 2) },
]

export interface Night {
  readonly tz: string
  /** The instant of the change. */
  readonly at: number
}

const OTHER_ZONES = ['UTC', 'Asia/Kolkata', 'America/St_Johns']
const MINUTE_MS = 60_000
const AROUND_MS = 10 * MINUTE_MS

/** A schedule that fires now and then in the next minutes. */
export function cronAbout(night: Night, now: number, random: Random): CronSchedule {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.float() * items.length)] as T
  const tz = random.float() < 0.75 ? night.tz : pick(OTHER_ZONES)
  return {
    kind: 'cron',
    pattern: patternAbout(tz, now, random, pick),
    tz,
    dst: {
      gap: pick(['auto', 'skip', 'shift'] as const),
      overlap: pick(['auto', 'first', 'second', 'both'] as const),
    },
    ...(random.float() < 0.2 ? { max: 1 + Math.floor(random.float() * 10) } : {}),
  }
}

function patternAbout(tz: string, now: number, random: Random, pick: <T>(items: readonly T[]) => T): string {
  const second = Math.floor(random.float() * 60)
  const dice = random.float()
  if (dice < 0.25) return `*/${pick([2, 5, 10, 15, 30])} * * * * *`
  if (dice < 0.4) return `${second} * * * * *`
  if (dice < 0.5) return `${second} */${pick([1, 2, 3])} * * * *`
  // What a clock shows soon that goes as before, or as after.
  const at = now + 5000 + random.float() * 5 * MINUTE_MS
  const local = new Date(at + offsetOf(tz, pick([now - AROUND_MS, now + AROUND_MS])))
  const [hour, minute] = [local.getUTCHours(), local.getUTCMinutes()]
  if (dice < 0.65) return `*/20 ${minute} ${hour} * * *`
  if (dice < 0.8) return `${minute} ${hour} * * *`
  if (dice < 0.9) return `* ${hour} * * *`
  return `${second} * ${hour} * * *`
}
