// docs/protocol.md, sections 10 and 11: chunks, manifest, snapshots.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { decompress } from "fzstd";
import { xxhash128 } from "hash-wasm";
import { derive, hash, keyedHash, open, seal } from "./account.mjs";
import { pack, Refused, type, unpack } from "./link.mjs";

const RAW_BYTES_MAX = 262083;
const NODE = 0x80;
const FILE = 1, FOLDER = 2, SYMLINK = 3, HARD_LINK = 4, MORE = 5;
const OTHER = 16; // category
const EMPTY = Buffer.alloc(0);

/** The keys that follow from an account's root key. */
export class Keys {
  constructor(root, account) {
    this.account = account;
    this.chunkId = derive(root, "keepsake chunk id", account);
    this.chunkKey = derive(root, "keepsake chunk key", account);
    this.wrap = derive(root, "keepsake snapshot wrap", account);
  }

  name(plain, kind) {
    const h = hash(64, plain);
    const t = Buffer.from([kind]);
    return { id: keyedHash(this.chunkId, h, t), key: keyedHash(this.chunkKey, h, t) };
  }

  #associated(id) {
    return Buffer.concat([Buffer.from([1]), this.account, id]);
  }

  seal({ id, key }, plain) {
    const pages = Math.ceil((24 + 5 + plain.length + 16 + 16) / 4096);
    const inner = Buffer.alloc(pages * 4096 - 16 - 24 - 16);
    inner.writeUInt32BE(plain.length, 1); // method 0: as it is
    plain.copy(inner, 5);
    return seal(key, inner, this.#associated(id));
  }

  open({ id, key }, sealed, node) {
    const inner = open(key, sealed, this.#associated(id));
    const length = inner.readUInt32BE(1);
    const data = inner.subarray(5);
    const plain = inner[0] === 0
      ? data.subarray(0, length)
      : Buffer.from(decompress(zstdFrame(data), Buffer.alloc(length)));
    for (let variant = 0; variant < 8; variant++)
      if (this.name(plain, variant + (node ? NODE : 0)).id.equals(id))
        return plain;
    throw new Error("a chunk is not what its name says");
  }
}

/**
 * One zstd frame without the zeros behind it (RFC 8878, 3.1.1): its length is
 * told by the headers of its blocks.
 */
function zstdFrame(data) {
  const descriptor = data[4];
  const single = (descriptor >> 5) & 1;
  const sizeFlag = descriptor >> 6;
  let at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3];
  at += sizeFlag === 0 ? single : [0, 2, 4, 8][sizeFlag];
  for (let last = false; !last;) {
    const header = data.readUIntLE(at, 3);
    last = (header & 1) === 1;
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
  }
  return data.subarray(0, at + ((descriptor >> 2) & 1 ? 4 : 0));
}

function cut(plain) {
  const parts = [];
  for (let at = 0; at < plain.length; at += RAW_BYTES_MAX)
    parts.push(plain.subarray(at, at + RAW_BYTES_MAX));
  return parts;
}

/** Paths in the order of the manifest: a slash before every other byte. */
function byPath(a, b) {
  const order = (text) =>
    Buffer.from(text).map((byte) => (byte === 0x2f ? 0 : byte));
  return Buffer.compare(order(a), order(b));
}

function walk(folder, below = "") {
  const names = fs.readdirSync(path.join(folder, below));
  return names.flatMap((name) => {
    const each = path.posix.join(below, name);
    return fs.lstatSync(path.join(folder, each)).isDirectory()
      ? [each, ...walk(folder, each)]
      : [each];
  });
}

async function entryOf(folder, name, put) {
  const full = path.join(folder, name);
  const stat = fs.lstatSync(full, { bigint: true });
  const mtime = stat.mtimeNs;
  const entry = {
    path: Buffer.from(name),
    mode: Number(stat.mode & 0o7777n),
    mtime_s: mtime / 1000000000n + "",
    mtime_ns: Number(mtime % 1000000000n),
    owner: { user: Number(stat.uid), group: Number(stat.gid) },
  };
  if (stat.isDirectory()) return { ...entry, type: FOLDER };
  if (stat.isSymbolicLink())
    return { ...entry, type: SYMLINK, target: Buffer.from(fs.readlinkSync(full)) };
  const plain = fs.readFileSync(full);
  const extents = [];
  for (const part of cut(plain)) {
    const chunk = await put(part);
    extents.push({ chunk_id: chunk.id, chunk_key: chunk.key, offset: 0, length: part.length });
  }
  if (extents.length > 400) throw new Error(`${name}: too large for this terminal`);
  return {
    ...entry, type: FILE, size: plain.length, category: OTHER,
    hash: Buffer.from(await xxhash128(plain), "hex"), extents,
  };
}

/** Back a folder up as one node; its ordinal. */
export async function backup(link, login, folder, label) {
  const keys = new Keys(login.root, login.account);
  const { ticket } = login;
  const lease = unpack(
    "store.Lease",
    (await link.ask("store.BACKUP_BEGIN", EMPTY, { ticket })).body);
  const sealed = new Map(); // id as hex: bytes of its payload

  const send = async (plain, node, refs) => {
    for (let variant = 0; variant < 8; variant++) {
      const chunk = keys.name(plain, variant + (node ? NODE : 0));
      const hex = chunk.id.toString("hex");
      if (sealed.has(hex)) return chunk;
      const have = unpack("store.Presence", (await link.ask(
        "store.HAVE",
        pack("store.Have", { lease_id: lease.lease_id, chunk_ids: chunk.id }),
        { ticket })).body);
      if (have.presence[0] === 1) {
        sealed.set(hex, have.pages[0] * 4096 - 16);
        return chunk;
      }
      if (have.presence[0] === 2) {
        // Another terminal's: only if it is what its name says.
        try {
          const there = await get(link, ticket, lease.lease_id, chunk.id);
          if (keys.open(chunk, there, node).equals(plain)) {
            sealed.set(hex, there.length);
            return chunk;
          }
        } catch (error) {
          if (error instanceof Refused) throw error;
        }
        continue;
      }
      const payload = keys.seal(chunk, plain);
      await link.ask(
        "store.PUT",
        pack("store.Put", {
          lease_id: lease.lease_id, chunk_id: chunk.id, node: node,
          refs: Buffer.concat(refs),
        }),
        { ticket, payload });
      sealed.set(hex, payload.length);
      chunk.payload = payload;
      return chunk;
    }
    throw new Error("every variant of a chunk is spoilt");
  };

  const parts = [Buffer.from([0])];
  const refs = new Map();
  let files = 0, total = 0;
  for (const name of walk(folder).sort(byPath)) {
    const entry = await entryOf(folder, name, (part) => send(part, false, []));
    for (const extent of entry.extents ?? [])
      refs.set(extent.chunk_id.toString("hex"), extent.chunk_id);
    const message = type("manifest.Entry");
    parts.push(Buffer.from(message.encodeDelimited(message.create(entry)).finish()));
    files++;
    total += entry.size ?? 0;
  }
  const node = Buffer.concat(parts);
  if (node.length > 131072 || refs.size > 900)
    throw new Error("too many files for this terminal");
  const rootChunk = await send(node, true, [...refs.values()]);
  const payload = rootChunk.payload ??
    await get(link, ticket, lease.lease_id, rootChunk.id);

  const snapshotKey = randomBytes(32);
  const summary = Buffer.from(pack("manifest.Summary", {
    root_key: rootChunk.key,
    started_ms: Date.now(),
    label,
    host: "javascript",
    files,
    categories: [{ category: OTHER, files, bytes: total }],
  }));
  const padded = Buffer.alloc(Math.ceil((2 + summary.length) / 256) * 256);
  padded.writeUInt16BE(summary.length);
  summary.copy(padded, 2);
  const modes = Buffer.from([1, 1]);
  let bytes = 0;
  for (const hex of refs.keys()) bytes += sealed.get(hex);
  const answer = await link.ask(
    "store.PUBLISH",
    pack("store.Publish", {
      lease_id: lease.lease_id,
      root_id: rootChunk.id,
      root_hash: hash(32, payload),
      chunks: refs.size,
      sealed_bytes: bytes,
      sealed_key: Buffer.concat([
        modes,
        seal(keys.wrap, snapshotKey, Buffer.concat([
          Buffer.from("keepsake snapshot key"), login.account, modes,
        ])),
      ]),
      sealed_summary: seal(snapshotKey, padded, Buffer.concat([
        Buffer.from("keepsake summary"), login.account, rootChunk.id,
      ])),
    }),
    { ticket });
  return Number(unpack("store.Snapshot", answer.body).ordinal);
}

async function get(link, ticket, lease, id) {
  const answer = await link.ask(
    "store.GET", pack("store.Get", { lease_id: lease, chunk_id: id }), { ticket });
  return Buffer.from(answer.payload);
}

async function listSnapshots(link, ticket) {
  const all = [];
  for (let more = true; more;) {
    const answer = await link.ask(
      "store.SNAPSHOTS",
      pack("store.SnapshotQuery", { after: all.at(-1)?.ordinal ?? 0 }),
      { ticket });
    const list = unpack("store.SnapshotList", answer.body);
    all.push(...list.snapshots);
    more = list.more;
  }
  return all;
}

/** Entries of a node and of all below, in order. */
async function* entries(node, fetch) {
  const messages = [];
  const name = node[0] === 0 ? "manifest.Entry" : "manifest.Link";
  let at = 1;
  while (at < node.length) {
    let length = 0, shift = 0, byte;
    do {
      byte = node[at++];
      length += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte & 0x80);
    messages.push(unpack(name, node.subarray(at, at + length)));
    at += length;
  }
  for (const message of messages) {
    if (node[0] === 0) yield message;
    else yield* entries(await fetch(message, true), fetch);
  }
}

/** Restore the newest snapshot, or that of an ordinal, into a new folder. */
export async function restore(link, login, ordinal, target) {
  const keys = new Keys(login.root, login.account);
  const { ticket } = login;
  const all = await listSnapshots(link, ticket);
  const snapshot = ordinal
    ? all.find((each) => Number(each.ordinal) === ordinal)
    : all.at(-1);
  if (!snapshot) throw new Error("no such snapshot");
  const sealedKey = Buffer.from(snapshot.sealed_key);
  const modes = sealedKey.subarray(0, 2);
  if (modes[0] !== 1) throw new Error(`key mode ${modes[0]} is not known here`);
  const snapshotKey = open(keys.wrap, sealedKey.subarray(2), Buffer.concat([
    Buffer.from("keepsake snapshot key"), login.account, modes,
  ]));
  const padded = open(
    snapshotKey, Buffer.from(snapshot.sealed_summary), Buffer.concat([
      Buffer.from("keepsake summary"), login.account, Buffer.from(snapshot.root_id),
    ]));
  const summary = unpack(
    "manifest.Summary", padded.subarray(2, 2 + padded.readUInt16BE()));
  const lease = unpack(
    "store.Lease",
    (await link.ask("store.RESTORE_BEGIN", EMPTY, { ticket })).body);

  let held = {}; // the last chunk: small files share one
  const fetch = async ({ chunk_id, chunk_key }, node) => {
    const id = Buffer.from(chunk_id);
    if (held.id?.equals(id)) return held.plain;
    const payload = await get(link, ticket, lease.lease_id, id);
    const plain = keys.open({ id, key: Buffer.from(chunk_key) }, payload, node);
    if (!node) held = { id, plain };
    return plain;
  };
  const rootNode = await fetch(
    { chunk_id: snapshot.root_id, chunk_key: summary.root_key }, true);

  const late = []; // times of folders, which writing into them would change
  let file; // being written, with its entry
  const finish = async () => {
    if (!file) return;
    fs.closeSync(file.fd);
    const { entry, full, hashed } = file;
    file = undefined;
    const got = Buffer.from(await xxhash128(Buffer.concat(hashed)), "hex");
    if (!got.equals(Buffer.from(entry.hash)))
      throw new Error(`${full}: another hash`);
    settle(full, entry);
  };
  const settle = (full, entry) => {
    if (entry.type !== SYMLINK) fs.chmodSync(full, entry.mode);
    // Node's own calls take microseconds.
    const nanoseconds = String(entry.mtime_ns).padStart(9, "0");
    execFileSync(
      "touch", ["-h", "-d", `@${entry.mtime_s}.${nanoseconds}`, full]);
  };
  const write = async (extents) => {
    for (const extent of extents) {
      const length = Number(extent.length);
      if (extent.chunk_id.length === 0) {
        file.at += length;
        continue;
      }
      const plain = await fetch(extent, false);
      const part = plain.subarray(extent.offset, extent.offset + length);
      fs.writeSync(file.fd, part, 0, length, file.at);
      file.hashed.push(Buffer.from(part));
      file.at += length;
    }
  };
  fs.mkdirSync(target);
  let files = 0;
  for await (const entry of entries(rootNode, fetch)) {
    if (entry.type === MORE) {
      await write(entry.extents);
      continue;
    }
    await finish();
    const full = path.join(target, Buffer.from(entry.path).toString());
    files++;
    if (entry.type === FOLDER) {
      fs.mkdirSync(full);
      late.unshift([full, entry]);
    } else if (entry.type === SYMLINK) {
      fs.symlinkSync(Buffer.from(entry.target), full);
      settle(full, entry);
    } else if (entry.type === HARD_LINK) {
      fs.linkSync(path.join(target, Buffer.from(entry.target).toString()), full);
    } else {
      file = { fd: fs.openSync(full, "wx"), entry, full, at: 0, hashed: [] };
      fs.ftruncateSync(file.fd, Number(entry.size));
      await write(entry.extents);
    }
  }
  await finish();
  for (const [full, entry] of late) settle(full, entry);
  return files;
}
