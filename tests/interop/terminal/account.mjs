// docs/protocol.md, sections 7 to 9: envelopes, codes and OPAQUE,
// registration, login, binding.
import { createHmac, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import * as opaque from "@serenity-kit/opaque";
import { Direction, pack, Refused, unpack } from "./link.mjs";

// As a module it wants a global that Node 18 does not have.
const sodium = createRequire(import.meta.url)("libsodium-wrappers-sumo");

await opaque.ready;
await sodium.ready;

const keyStretching = {
  "argon2id-custom": { memory: 65536, iterations: 3, parallelism: 1 },
};

const bytes = (text) => Buffer.from(text, "base64url");
const text = (some) => Buffer.from(some).toString("base64url");

export function hash(length, ...parts) {
  return Buffer.from(sodium.crypto_generichash(length, Buffer.concat(parts)));
}

export function keyedHash(key, ...parts) {
  return Buffer.from(sodium.crypto_generichash(32, Buffer.concat(parts), key));
}

export function derive(key, label, context) {
  return keyedHash(key, Buffer.from(label), Buffer.from([0]), context);
}

export function seal(key, plain, associated) {
  const nonce = randomBytes(24);
  return Buffer.concat([
    nonce,
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
      plain, associated, null, nonce, key),
  ]);
}

export function open(key, sealed, associated) {
  return Buffer.from(
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      null, sealed.subarray(24), associated, sealed.subarray(0, 24), key));
}

/** Section 7: what only auth may read. */
class Envelope {
  constructor(link, type) {
    this.id = randomBytes(16);
    const number = Buffer.alloc(4);
    number.writeUInt32BE(type);
    this.associated = Buffer.concat([this.id, number]);
    const pair = sodium.crypto_kx_keypair();
    const keys = sodium.crypto_kx_client_session_keys(
      pair.publicKey, pair.privateKey, link.enrolment.x);
    this.ephemeral = Buffer.from(pair.publicKey);
    this.replyKey = keys.sharedRx;
    this.requestKey = keys.sharedTx;
  }

  seal(plain) {
    return Buffer.concat([
      this.ephemeral,
      seal(this.requestKey, plain, this.associated),
    ]);
  }

  open(sealed) {
    return open(this.replyKey, Buffer.from(sealed), this.associated);
  }
}

const types = {
  "auth.REGISTER_BEGIN": 0x0101,
  "auth.REGISTER_FINISH": 0x0102,
  "auth.LOGIN_BEGIN": 0x0104,
  "auth.VERIFICATION_BEGIN": 0x0106,
  "auth.VERIFICATION_FINISH": 0x0107,
};

async function askSealed(link, name, body, reply, options = {}) {
  const envelope = new Envelope(link, types[name]);
  const answer = await link.ask(
    name,
    pack("auth.Sealed", { data: envelope.seal(body) }),
    { ...options, id: envelope.id });
  const sealed = unpack("auth.Sealed", answer.body);
  return unpack(reply, envelope.open(sealed.data));
}

/** The text of a code of a password alone. */
function codeText(password) {
  const value = password.normalize("NFC");
  return `8:password${Buffer.byteLength(value)}:${value}`;
}

/** A registration's OPAQUE half: what to send for the server's answer. */
function makeRecord(link, started, password, response) {
  const made = opaque.client.finishRegistration({
    clientRegistrationState: started.clientRegistrationState,
    registrationResponse: text(response),
    password,
    keyStretching,
  });
  if (!bytes(made.serverStaticPublicKey).equals(link.enrolment.o))
    throw new Error("not the server that was enrolled");
  return { record: bytes(made.registrationRecord), exportKey: bytes(made.exportKey) };
}

function wrapKey(exportKey) {
  return derive(exportKey.subarray(0, 32), "keepsake wrap root", Buffer.alloc(0));
}

export async function register(link, name, password) {
  const code = codeText(password);
  const started = opaque.client.startRegistration({ password: code });
  const challenge = await askSealed(
    link, "auth.REGISTER_BEGIN",
    pack("auth.RegisterBegin", {
      name, opaque_request: bytes(started.registrationRequest),
    }),
    "auth.RegisterChallenge");
  const account = Buffer.from(challenge.account_id);
  const { record, exportKey } = makeRecord(
    link, started, code, challenge.opaque_response);
  const root = randomBytes(32);
  const secret = derive(root, "keepsake x25519", account);
  const done = await askSealed(
    link, "auth.REGISTER_FINISH",
    pack("auth.RegisterFinish", {
      cookie: challenge.cookie,
      opaque_record: record,
      factors: 1,
      wrapped_root: seal(wrapKey(exportKey), root, account),
      account_key: sodium.crypto_scalarmult_base(secret),
    }),
    "auth.Registered");
  if (!Buffer.from(done.account_id).equals(account))
    throw new Error("another account than was begun");
  return account;
}

/** A login for a direction: ticket, account, root key. */
export async function login(link, name, password, direction) {
  const code = codeText(password);
  const started = opaque.client.startLogin({ password: code });
  const envelope = new Envelope(link, types["auth.LOGIN_BEGIN"]);
  const answer = await link.ask(
    "auth.LOGIN_BEGIN",
    pack("auth.LoginBegin", {
      name_sealed: envelope.seal(Buffer.from(name)),
      ke1: bytes(started.startLoginRequest),
      direction: Direction[direction],
    }),
    { id: envelope.id });
  const challenge = unpack("auth.LoginChallenge", answer.body);
  const proof = opaque.client.finishLogin({
    clientLoginState: started.clientLoginState,
    loginResponse: text(challenge.ke2),
    password: code,
    keyStretching,
  });
  const right =
    proof && bytes(proof.serverStaticPublicKey).equals(link.enrolment.o);
  // Without a proof the server is told so, and tells what remains.
  const verdict = await link.ask(
    "auth.LOGIN_FINISH",
    pack("auth.LoginFinish", {
      ke3: right ? bytes(proof.finishLoginRequest) : Buffer.alloc(0),
      cookie: challenge.cookie,
    }));
  const done = unpack("auth.LoginDone", verdict.body);
  const account = Buffer.from(done.account_id);
  const info = Buffer.from("keepsake session to terminal wrapped root\x01");
  const sessionKey = createHmac("sha512", bytes(proof.sessionKey))
    .update(info).digest().subarray(0, 32);
  const inner = open(sessionKey, Buffer.from(done.wrapped_root), Buffer.alloc(0));
  return {
    account,
    ticket: Buffer.from(done.ticket),
    verificationSet: done.verification_set,
    root: open(wrapKey(bytes(proof.exportKey)), inner, account),
  };
}

export async function setVerification(link, ticket, verification) {
  const code = codeText(verification);
  const started = opaque.client.startRegistration({ password: code });
  const challenge = await askSealed(
    link, "auth.VERIFICATION_BEGIN",
    pack("auth.VerificationBegin", {
      opaque_request: bytes(started.registrationRequest),
    }),
    "auth.RegisterChallenge", { ticket });
  const { record } = makeRecord(link, started, code, challenge.opaque_response);
  await askSealed(
    link, "auth.VERIFICATION_FINISH",
    pack("auth.VerificationFinish", {
      cookie: challenge.cookie, opaque_record: record,
    }),
    "auth.Empty", { ticket });
}

export async function bind(link, ticket, serial, label) {
  const answer = await link.ask(
    "binding.BIND", pack("binding.Bind", { serial, label }), { ticket });
  return Buffer.from(unpack("binding.Bound", answer.body).terminal_id);
}

export { Refused };
