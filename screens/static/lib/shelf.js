/** A shelf of lib/queue.js in IndexedDB, which also keeps photos; in memory where the browser refuses one. */
export async function openShelf(name = 'andon') {
  try {
    return new Shelf(await open(name))
  } catch {
    return new MemoryShelf()
  }
}

class Shelf {
  lasting = true
  #db

  constructor(db) {
    this.#db = db
  }

  all = () => this.#run('readonly', store => store.getAll())
  put = item => this.#run('readwrite', store => store.put(item))
  remove = id => this.#run('readwrite', store => store.delete(id))

  #run(mode, work) {
    return new Promise((resolve, reject) => {
      const transaction = this.#db.transaction('actions', mode)
      const request = work(transaction.objectStore('actions'))
      transaction.oncomplete = () => resolve(request.result)
      transaction.onabort = transaction.onerror = () => reject(transaction.error)
    })
  }
}

export class MemoryShelf {
  lasting = false
  #items = new Map()

  all = async () => [...this.#items.values()]
  put = async item => void this.#items.set(item.id, item)
  remove = async id => void this.#items.delete(id)
}

function open(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => request.result.createObjectStore('actions', {keyPath: 'id'})
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
