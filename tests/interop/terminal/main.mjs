// node main.mjs STATE COMMAND [ARGUMENT...]
//
// A terminal in JavaScript, written from docs/protocol.md alone; it shares no
// code with the one in C.  STATE is a JSON file of its own.  The password is
// the first line of the file that KEEPSAKE_PASSWORD_FILE names; KEEPSAKE_PROTO
// is the folder of the .proto files.
//
//   enrol STRING               make a key and trust that server
//   register NAME              make an account
//   bind NAME SERIAL           bind this terminal to it
//   backup FOLDER              print the ordinal of the snapshot
//   restore ORDINAL FOLDER     0: the newest; print how many files it has
//   login DIRECTION            print "ok"
//
// What the server refuses is printed as JSON with status, detail and tries
// remaining; exit status 1.
import fs from "node:fs";
import { curveKeyPair } from "zeromq";
import { bind, login, register, setVerification } from "./account.mjs";
import { backup, restore } from "./backup.mjs";
import { Link, parseEnrolment, Refused } from "./link.mjs";

const [stateFile, command, ...rest] = process.argv.slice(2);

function readState() {
  return JSON.parse(fs.readFileSync(stateFile, "utf8"));
}

function writeState(state) {
  fs.writeFileSync(stateFile, JSON.stringify(state), { mode: 0o600 });
}

function password() {
  const file = process.env.KEEPSAKE_PASSWORD_FILE;
  return fs.readFileSync(file, "utf8").split("\n")[0];
}

const commands = {
  async register(link, state, name) {
    await register(link, name, password());
    writeState({ ...state, name });
  },
  async bind(link, state, name, serial) {
    const own = await login(link, name, password(), "ENROL");
    if (!own.verificationSet)
      await setVerification(link, own.ticket, `${password()} verification`);
    await bind(link, own.ticket, serial, "javascript");
    writeState({ ...state, name });
  },
  async backup(link, state, folder) {
    const own = await login(link, state.name, password(), "UPLOAD");
    console.log(await backup(link, own, folder, "from javascript"));
  },
  async restore(link, state, ordinal, folder) {
    const own = await login(link, state.name, password(), "DOWNLOAD");
    console.log(await restore(link, own, Number(ordinal), folder));
  },
  async login(link, state, direction) {
    await login(link, state.name, password(), direction);
    console.log("ok");
  },
};

async function main() {
  if (command === "enrol") {
    parseEnrolment(rest[0]);
    const { publicKey, secretKey } = curveKeyPair();
    writeState({
      enrolment: rest[0], keys: { public: publicKey, secret: secretKey },
    });
    return;
  }
  const state = readState();
  const link = new Link(parseEnrolment(state.enrolment), state.keys);
  try {
    await commands[command](link, state, ...rest);
  } finally {
    link.close();
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.log(JSON.stringify({
    status: error.status, detail: error.message,
    tries_remaining: error.triesRemaining, retry_after_ms: error.retryAfterMs,
  }));
  process.exitCode = 1;
}
process.exit();
