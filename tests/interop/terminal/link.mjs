// docs/protocol.md, sections 1 to 6: enrolment string, connection, header,
// requests with their repeats.
import { randomBytes } from "node:crypto";
import path from "node:path";
import protobuf from "protobufjs";
import { Dealer } from "zeromq";

const MAGIC = 0x4b505331;
const SILENCE_MS = 5000; // then the same request again

const protos = ["common", "auth", "store", "binding", "notify", "manifest"];
const root = new protobuf.Root();
root.resolvePath = (_, name) => path.join(process.env.KEEPSAKE_PROTO, name);
root.loadSync(protos.map((name) => `${name}.proto`), { keepCase: true });

export function type(name) {
  return root.lookupType(name);
}

export function pack(name, fields) {
  const message = type(name);
  const wrong = message.verify(fields);
  if (wrong) throw new Error(`${name}: ${wrong}`);
  return message.encode(message.create(fields)).finish();
}

export function unpack(name, bytes) {
  return type(name).decode(bytes);
}

export const Status = root.lookupEnum("common.Status").values;
export const Direction = root.lookupEnum("common.Direction").values;
const statusWords = root.lookupEnum("common.Status").valuesById;

function messageNumber(name) {
  const [service, word] = name.split(".");
  const number = root.lookupEnum(`${service}.Type`).values[word];
  if (number === undefined) throw new Error(`no message ${name}`);
  return number;
}

/** What the server refused: status, detail, what a person is to know. */
export class Refused extends Error {
  constructor(header) {
    super(header.detail);
    this.status = statusWords[header.status];
    this.triesRemaining =
      header.tries_remaining > 0 ? header.tries_remaining - 1 : undefined;
    this.retryAfterMs = header.retry_after_ms;
  }
}

/** Section 2. */
export function parseEnrolment(text) {
  const url = /^keepsake:\/\/(\[[^\]]+\]|[^:/?]+):([1-9][0-9]*)\?(.*)$/.exec(text);
  if (!url) throw new Error("not an enrolment string");
  const keys = {};
  for (const part of url[3].split("&")) {
    const [, name, value] = /^([A-Za-z][A-Za-z0-9]*)=(.*)$/.exec(part) ?? [];
    if (!name) throw new Error("not an enrolment string");
    if ("gxo".includes(name)) {
      keys[name] = Buffer.from(value, "base64url");
      if (keys[name].length !== 32) throw new Error(`${name} is no key`);
    } else if (/^[A-Z]/.test(name)) {
      throw new Error(`${name} is not known, and must be`);
    }
  }
  return { host: url[1], port: Number(url[2]), ...keys };
}

/** ZeroMQ's text of a key (RFC 32). */
function z85(bytes) {
  const digits =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" +
    ".-:+=^!/*?&<>()[]{}@%$#";
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) {
    let value = bytes.readUInt32BE(at);
    let five = "";
    for (let i = 0; i < 5; i++) {
      five = digits[value % 85] + five;
      value = Math.floor(value / 85);
    }
    text += five;
  }
  return text;
}

/** A connection; requests may be under way together. */
export class Link {
  #socket;
  #waiting = new Map(); // request id as hex: { resolve, reject, frames }

  constructor(enrolment, keys) {
    this.enrolment = enrolment;
    this.#socket = new Dealer({
      curveServerKey: z85(enrolment.g),
      curvePublicKey: keys.public,
      curveSecretKey: keys.secret,
      linger: 0,
    });
    this.#socket.connect(`tcp://${enrolment.host}:${enrolment.port}`);
    this.#receive();
  }

  close() {
    this.#socket.close();
  }

  async #receive() {
    for await (const [head, body, payload] of this.#socket) {
      const header = unpack("common.Header", head);
      const id = Buffer.from(header.request_id).toString("hex");
      const waiting = this.#waiting.get(id);
      if (!waiting) continue; // answered already
      if (header.status === Status.BUSY ||
          (header.status === Status.UNAVAILABLE && header.retry_after_ms > 0)) {
        if (waiting.patient) {
          waiting.again(Math.min(Math.max(header.retry_after_ms, 50), 5000));
          continue;
        }
      }
      this.#waiting.delete(id);
      clearTimeout(waiting.timer);
      if (header.status === Status.OK) waiting.resolve({ header, body, payload });
      else waiting.reject(new Refused(header));
    }
  }

  // One send at a time is what the socket takes.
  #sending = Promise.resolve();
  #send(frames) {
    this.#sending = this.#sending.then(() => this.#socket.send(frames));
    return this.#sending;
  }

  /**
   * Ask, and ask again until there is an answer.
   *
   * name     of the message: "store.PUT"
   * body     packed
   * options  ticket, account, payload, id; patient: false returns BUSY
   */
  ask(name, body, options = {}) {
    const id = options.id ?? randomBytes(16);
    const header = pack("common.Header", {
      magic: MAGIC,
      major: 1,
      oldest_major: 1,
      request_id: id,
      type: messageNumber(name),
      account_id: options.account ?? Buffer.alloc(0),
      deadline_ms: 60000,
      ticket: options.ticket ?? Buffer.alloc(0),
    });
    const frames = [header, body];
    if (options.payload) frames.push(options.payload);
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject, patient: options.patient ?? true };
      let silence = SILENCE_MS;
      waiting.again = (afterMs) => {
        clearTimeout(waiting.timer);
        waiting.timer = setTimeout(() => {
          silence = Math.min(2 * silence, 60000);
          this.#send(frames).catch(reject);
          waiting.again(silence);
        }, afterMs);
      };
      this.#waiting.set(Buffer.from(id).toString("hex"), waiting);
      this.#send(frames).catch(reject);
      waiting.again(silence);
    });
  }
}
