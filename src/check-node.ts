/** Says plainly that Node is too old, before anything is loaded that would fail in a way nobody understands. */

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 12)) {
  throw new Error(
    `carillon needs Node >= 22.12, and this is Node ${process.versions.node}: update Node, or run it with a newer one`,
  )
}
