/** A Node process that does nothing: what any program in Node has in memory before its first line. */

console.log('ready')
setInterval(() => {}, 60_000)
