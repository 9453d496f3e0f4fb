#include "seeds.h"

#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zmq.h>

#include "base/bounds.h"
#include "crypto/auth_keys.h"
#include "crypto/enrolment.h"
#include "crypto/seal.h"
#include "crypto/ticket.h"
#include "fuzz_opaque.h"
#include "manifest.pb-c.h"

/*
 * seeds FOLDER: write the corpus that the harnesses begin with, a folder
 * for each with a few small and good inputs.  Run it again when a layout
 * changes:
 *
 *   make build/tests/fuzz/seeds && build/tests/fuzz/seeds tests/fuzz/corpus
 */

#define PATH_BYTES     4096
#define MANIFEST_BYTES 32 /* of chunk ids and keys */

static const char *folder;

struct bytes seed;

void add(struct slice part)
{
	must(bytes_append(&seed, part) == STATUS_OK);
}

void add_byte(unsigned int number)
{
	const uint8_t byte = (uint8_t)number;

	add(slice_of(&byte, 1));
}

void add_16(size_t number)
{
	uint8_t bytes[2];

	put_be16(bytes, (uint16_t)number);
	add(slice_of(bytes, sizeof(bytes)));
}

void add_64(uint64_t number)
{
	uint8_t bytes[8];

	put_be64(bytes, number);
	add(slice_of(bytes, sizeof(bytes)));
}

void add_text(const char *text)
{
	add(slice_text(text));
}

void add_many(uint8_t byte, size_t len)
{
	for (size_t i = 0; i < len; i++)
		add_byte(byte);
}

void add_message(const ProtobufCMessage *message)
{
	must(pack_message(&seed, message) == STATUS_OK);
}

void add_delimited(const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	for (; len >= 0x80; len >>= 7)
		add_byte(0x80 | (len & 0x7f));
	add_byte((unsigned int)len);
	add_message(message);
}

void frame_since(size_t at)
{
	size_t len = seed.len - at;

	add_16(0);
	memmove(seed.data + at + 2, seed.data + at, len);
	put_be16(seed.data + at, (uint16_t)len);
}

void save(const char *what, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", folder, what);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, what, name);
	FILE *file = fopen(path, "wb");
	must(file);
	must(fwrite(seed.data, 1, seed.len, file) == seed.len);
	must(fclose(file) == 0);
	bytes_clear(&seed);
}

void save_text(const char *what, const char *name, const char *text)
{
	add_text(text);
	save(what, name);
}

/* ---- what is signed or sealed ---- */

static void tickets(void)
{
	static const uint8_t key_seed[crypto_sign_SEEDBYTES] = { 1 };
	uint8_t public_key[TICKET_PUBLIC_BYTES];
	uint8_t secret_key[TICKET_SECRET_BYTES];
	uint8_t bytes[TICKET_BYTES];
	struct ticket ticket = { .direction = DIRECTION_UPLOAD,
		.account = { { 1 } },
		.terminal = { { 2 } },
		.issued_ms = 1790000000000,
		.expiry_ms = 1790000600000 };

	crypto_sign_seed_keypair(public_key, secret_key, key_seed);
	ticket_sign(bytes, &ticket, secret_key);
	add(slice_of(bytes, sizeof(bytes)));
	save("ticket", "good");
	ticket.expiry_ms = ticket.issued_ms = 1;
	ticket_sign(bytes, &ticket, secret_key);
	add(slice_of(bytes, sizeof(bytes)));
	save("ticket", "expired");
}

static void envelopes(void)
{
	static const uint8_t key_seed[crypto_kx_SEEDBYTES] = { 1 };
	static const uint8_t session_key[OPAQUE_KEY_BYTES] = { 2 };
	uint8_t public_key[ENVELOPE_PUBLIC_BYTES];
	uint8_t secret_key[ENVELOPE_SECRET_BYTES];
	uint8_t sealed[ENVELOPE_REQUEST_BYTES(5)];
	struct envelope_reply_key key;
	struct slice plain = slice_text("plain"), label = slice_text("type");

	crypto_kx_seed_keypair(public_key, secret_key, key_seed);
	must(envelope_request_seal(sealed, &key, public_key, plain, label) ==
	     STATUS_OK);
	add_byte((unsigned int)label.len);
	add(label);
	add(slice_of(sealed, sizeof(sealed)));
	save("envelope", "request");
	session_seal(
	    sealed, session_key, SESSION_TO_AUTH, "fuzz", plain, label);
	add_byte((unsigned int)label.len);
	add(label);
	add(slice_of(sealed, SEALED_BYTES(plain.len)));
	save("envelope", "session");
}

static void opaque_message(
    const char *what, unsigned int choice, const char *name, struct slice part)
{
	add_byte(choice);
	add(part);
	save(what, name);
}

static void opaque(void)
{
	struct opaque_ends *ends = opaque_ends();
	uint8_t response[OPAQUE_RESPONSE_BYTES], record[OPAQUE_RECORD_BYTES];
	uint8_t export_key[OPAQUE_KEY_BYTES], ke2[OPAQUE_KE2_BYTES];
	struct slice request = slice_of(ends->request, OPAQUE_REQUEST_BYTES);
	struct slice ke1 = slice_of(ends->ke1, OPAQUE_KE1_BYTES);
	struct opaque_expected expected;

	must(opaque_registration_respond(response, &ends->server,
		 ends->credential_id, request) == STATUS_OK);
	must(opaque_registration_finish(record, export_key, &ends->registration,
		 &opaque_fixed, ends->server.public_key, ends->password,
		 slice_of(response, sizeof(response))) == STATUS_OK);
	must(opaque_login_respond(ke2, &expected, &opaque_fixed, &ends->server,
		 ends->credential_id, slice_of(record, sizeof(record)),
		 ke1) == STATUS_OK);
	opaque_message("opaque_server", 0, "request", request);
	opaque_message(
	    "opaque_server", 1, "record", slice_of(record, sizeof(record)));
	opaque_message("opaque_server", 2, "ke1", ke1);
	opaque_message("opaque_server", 3, "ke3",
	    slice_of(expected.client_mac, OPAQUE_KE3_BYTES));
	opaque_message("opaque_client", 0, "response",
	    slice_of(response, sizeof(response)));
	opaque_message("opaque_client", 1, "ke2", slice_of(ke2, sizeof(ke2)));
}

static void keys(void)
{
	static const uint8_t key_seed[OPAQUE_SEED_BYTES] = { 1 };
	uint8_t secret[OPAQUE_SECRET_BYTES];
	char text[ENROLMENT_TEXT_BYTES], trust[AUTH_PUBLIC_TEXT_BYTES];
	char z85[41];
	struct enrolment enrolment = { .host = "keepsake.example.org",
		.port = 7700,
		.gateway_key = { 1 },
		.auth_x25519 = { 2 } };
	struct auth_public public_keys = { .x25519 = { 2 }, .ticket = { 3 } };

	opaque_key_pair(secret, public_keys.opaque, key_seed);
	memcpy(enrolment.auth_opaque, public_keys.opaque, ENROLMENT_KEY_BYTES);
	must(enrolment_format(text, &enrolment) == STATUS_OK);
	save_text("enrolment", "name", text);
	strcpy(enrolment.host, "[2001:db8::1]");
	must(enrolment_format(text, &enrolment) == STATUS_OK);
	add_text(text);
	save_text("enrolment", "address", "&future=1");
	strcpy(enrolment.others[0].host, "second.example.org");
	enrolment.others[0].port = 7701;
	enrolment.others[0].key[0] = 1;
	enrolment.others[1] = enrolment.others[0];
	enrolment.others[1].key[0] = 4;
	enrolment.others_count = 2;
	must(enrolment_format(text, &enrolment) == STATUS_OK);
	save_text("enrolment", "gateways", text);
	auth_public_format(trust, &public_keys);
	save_text("trust", "keys", trust);
	must(zmq_z85_encode(z85, secret, sizeof(secret)));
	add_text(z85);
	save_text("curve_key", "key", "\n");
}

/* ---- what people and phones write ---- */

static void texts(void)
{
	save_text("health", "not-ready",
	    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 17\r\n\r\n"
	    "no link to store\n");
	save_text("name", "phone", "+49 (151) 234-567 89");
	save_text("name", "email", "Ann.B@Example.ORG");
	save_text("name", "nickname", "Straße_7");
	save_text("imei", "good", "490154203237518");
	save_text("iccid", "digits", "89882110000005300811");
	add(slice_of("\x98\x88\x12\x01\0\0\x50\x03\x80\xf2", 10));
	save("iccid", "card");
	save_text("conf", "example",
	    "# comment\n[common]\nrun = /run/keepsake\nkeys = /etc/keepsake\n"
	    "\n[store]\ndata = /var/lib/keepsake/store\nquota = 10G\n"
	    "[gateway]\nlisten = tcp://0.0.0.0:7700\n");
	add_64(UINT64_MAX);
	save_text("text", "size", "12M");
	add_64(1000);
	save_text("text", "number", "999");
	add_64(0);
	save_text("text", "duration", "90min");
	add_64(0);
	save_text("text", "hex", "00112233445566778899aAbBcCdDeEfF");
	add_64(0);
	save_text("text", "words", "käse \xe2\x82\xac \xf0\x9f\x93\xb1 \"x\"");
	add_text("DCIM/Camera/IMG_1.JPG");
	add_byte(0);
	save("category", "name");
	add_text("data/unknown");
	add_byte(0);
	save_text("category", "head", "\xff\xd8\xff\xe0 JFIF");
	save_text("state", "account",
	    "name=ann\naccount=00112233445566778899aabbccddeeff\nasked=17\n");
	save_text("identity", "all",
	    "# mine\nserial=R58M1234ABC\nimei=490154203237518\n"
	    "imsi=262011234567890\n");
	save_text("identity", "twice", "imsi=262011\nimsi=262011\n");
	add_byte(15);
	add_16(9);
	add_text("swordfish");
	add_16(3);
	add_text("SN1");
	add_16(15);
	add_text("490154203237518");
	save_text("code", "all", "262011234567890");
}

static void put_manys(void)
{
	add_byte(0); /* three pages in two chunks, less 16 bytes for each */
	add_16(3 * PAGE_BYTES - 2 * PAGE_HEAD_BYTES);
	add_byte(2);
	add_byte(1);
	add_byte(2);
	add_many(5, CHUNK_ID_BYTES);
	add_many(6, CHUNK_ID_BYTES);
	save("put_many", "two");
	add_byte(0);
	add_16(2 * (PAGE_BYTES - PAGE_HEAD_BYTES));
	add_byte(2);
	add_many(1, 2);
	add_many(5, 2 * CHUNK_ID_BYTES);
	save("put_many", "twice");
}

static void cards(void)
{
	add_byte(1);
	add_many(7, SEALED_BYTES(30));
	save("card", "sealed");
	save_text("card", "plain", "a mirror that somebody else has kept");
}

/* ---- backups ---- */

static void add_entry(
    Manifest__Type type, const char *path, const char *target, bool extent)
{
	static uint8_t bytes[MANIFEST_BYTES];
	Manifest__Entry entry = MANIFEST__ENTRY__INIT;
	Manifest__Owner owner = MANIFEST__OWNER__INIT;
	Manifest__Extent parts[] = { MANIFEST__EXTENT__INIT,
		MANIFEST__EXTENT__INIT };
	Manifest__Extent *pointers[] = { &parts[0], &parts[1] };

	entry.type = type;
	entry.path = field_of(slice_text(path));
	entry.target = field_of(slice_text(target));
	entry.mode = 0644;
	entry.mtime_s = 1790000000;
	entry.owner = &owner;
	if (extent) {
		entry.category = 9;
		entry.size = 150;
		entry.hash = field_of(slice_of(bytes, 16));
		parts[0].chunk_id = parts[0].chunk_key =
		    field_of(slice_of(bytes, sizeof(bytes)));
		parts[0].offset = 10;
		parts[0].length = 100;
		parts[1].length = 50; /* a hole */
		entry.extents = pointers;
		entry.n_extents = nitems(parts);
	}
	add_delimited(&entry.base);
}

static void add_leaf(void)
{
	size_t at = seed.len;

	add_byte(0); /* level */
	add_entry(MANIFEST__TYPE__FOLDER, "a", "", false);
	add_entry(MANIFEST__TYPE__FILE, "a/b", "", true);
	add_entry(MANIFEST__TYPE__HARD_LINK, "a/c", "a/b", false);
	add_entry(MANIFEST__TYPE__SYMLINK, "d", "a/b", false);
	frame_since(at);
}

static void manifests(void)
{
	static uint8_t bytes[MANIFEST_BYTES];
	Manifest__Link link = MANIFEST__LINK__INIT;

	add_leaf();
	save("manifest", "leaf");
	link.chunk_id = link.chunk_key =
	    field_of(slice_of(bytes, sizeof(bytes)));
	add_byte(1);
	add_delimited(&link.base);
	frame_since(0);
	add_leaf();
	save("manifest", "tree");

	add_byte(1); /* frames with entries */
	add_16(1);   /* chunks */
	size_t at = seed.len;
	add_many(1, 20); /* stamp */
	add_entry(MANIFEST__TYPE__FILE, "a/b", "", true);
	frame_since(at);
	at = seed.len;
	add_many(7, 15);
	add_byte(64); /* pages */
	frame_since(at);
	save("cache", "one-file");
}

static void summaries(void)
{
	static uint8_t bytes[MANIFEST_BYTES];
	Manifest__Summary summary = MANIFEST__SUMMARY__INIT;
	Manifest__CategoryTotal total = MANIFEST__CATEGORY_TOTAL__INIT;
	Manifest__CategoryTotal *totals[] = { &total };

	summary.root_key = field_of(slice_of(bytes, sizeof(bytes)));
	summary.started_ms = 1790000000000;
	summary.label = "before the holiday";
	summary.host = "phone";
	summary.folder = field_of(slice_text("/home/ann/photos"));
	total.category = 9;
	total.files = total.bytes = 17;
	summary.categories = totals;
	summary.n_categories = nitems(totals);
	add_message(&summary.base);
	frame_since(0);
	add_many(0, 16);
	save("summary", "good");
}

/* Mode, origin, and a body as long as the mode's. */
static void snapshot_keys(void)
{
	static const struct {
		const char *name;
		unsigned int mode;
		size_t len;
	} modes[] = {
		{ "sealed", 1, 72 },
		{ "local", 2, 16 },
		{ "account", 5, 32 + 72 },
	};

	for (size_t i = 0; i < nitems(modes); i++) {
		add_byte(modes[i].mode);
		add_byte(1);
		add_many(9, modes[i].len);
		save("snapshot_key", modes[i].name);
	}
}

static void add_field(const char *name, size_t len)
{
	add_text(name);
	for (size_t i = 0; i < len; i++)
		add_text("1f");
	add_text("\n");
}

static void key_files(void)
{
	static const char *const keys[] = { "seed=", "chunk_id=", "chunk_key=",
		"chunker_seed=", "snapshot_writer=", "account_key=" };

	add_text("keepsake local key 1\n");
	add_field("account=", ID_BYTES);
	add_field("key=", 32);
	save("key_file", "local");
	add_text("keepsake grant 1\n");
	add_field("account=", ID_BYTES);
	add_field("terminal=", ID_BYTES);
	for (size_t i = 0; i < nitems(keys); i++)
		add_field(keys[i], 32);
	save("key_file", "grant");
	save_text("tool_lock", "line",
	    "$argon2id$v=19$m=65536,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
	    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\n");
}

static void add_chunk(unsigned int method, size_t plain_len)
{
	add_byte(0);
	add_byte(method);
	add_16(0);
	add_16(plain_len);
}

static void chunks(void)
{
	/* zstd of 64 times "a": one block, a run, RFC 8878 clause 3.1.1. */
	static const uint8_t run[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x40, 0x03,
		0x02, 0x00, 'a' };

	add_chunk(0, 5);
	add_text("plain");
	add_many(0, 8);
	save("chunk", "raw");
	add_chunk(1, 64);
	add(slice_of(run, sizeof(run)));
	add_many(0, 8);
	save("chunk", "zstd");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	folder = argv[1];
	mkdir(folder, 0755);
	opaque_ends(); /* before anything random is made */
	seed_messages();
	tickets();
	envelopes();
	opaque();
	keys();
	texts();
	manifests();
	summaries();
	snapshot_keys();
	key_files();
	chunks();
	put_manys();
	cards();
	seed_rows();
	return 0;
}
