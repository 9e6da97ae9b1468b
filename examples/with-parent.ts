/**
 * For a child that must not outlive its parent, and gets its signals from that one alone: run by `node --import`. Losing
 * the parent is a SIGTERM.
 */

process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
// The channel to the parent is no reason to live on.
process.channel?.unref()
