// @ts-check
/** Where this profile's key is kept: IndexedDB holds the key itself, which nothing can read out again. */

/**
 * @typedef {object} Paired
 * @property {CryptoKey} key
 * @property {number} port
 * @property {number} generation The highest seen since it was paired.
 * @property {boolean} unsure The server has proved itself, but has not yet said welcome.
 */
/** @typedef {{key: CryptoKey, port: number}} Pending A code was pasted and not proved yet. */
/** @typedef {{paired?: Paired, pending?: Pending}} Keys */

export class Keyring {
  /** @type {Promise<IDBDatabase> | null} */
  #database = null;

  #open() {
    this.#database ??= new Promise((resolve, reject) => {
      const opening = indexedDB.open("flowkit", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => {
        this.#database = null;
        reject(opening.error);
      };
    });
    return this.#database;
  }

  /** @returns {Promise<Keys>} */
  async read() {
    const database = await this.#open();
    return new Promise((resolve, reject) => {
      const store = database.transaction("keys").objectStore("keys");
      const paired = store.get("paired");
      const pending = store.get("pending");
      store.transaction.oncomplete = () => resolve({ paired: paired.result, pending: pending.result });
      store.transaction.onabort = () => reject(store.transaction.error);
    });
  }

  /**
   * Both or none are changed.
   * @param {{[name in keyof Keys]: Keys[name] | null}} change Null forgets.
   * @returns {Promise<void>}
   */
  async write(change) {
    const database = await this.#open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction("keys", "readwrite", { durability: "strict" });
      const store = transaction.objectStore("keys");
      for (const [name, value] of Object.entries(change)) {
        if (value === null) store.delete(name);
        else store.put(value, name);
      }
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  }
}
