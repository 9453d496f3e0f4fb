#ifndef KEEPSAKE_TESTS_SEEDS_H
#define KEEPSAKE_TESTS_SEEDS_H

#include "bus/unpack.h"
#include "fuzz.h"
#include "notify.pb-c.h"

/* For seeds*.c only: how an input is put together. */

/** What is being put together. */
extern struct bytes seed;

void add(struct slice part);
void add_byte(unsigned int number);
void add_16(size_t number);
void add_64(uint64_t number);
void add_text(const char *text);

/** ${len} times the same byte: an id, a key. */
void add_many(uint8_t byte, size_t len);
void add_message(const ProtobufCMessage *message);

/** A message after its length, as in a manifest. */
void add_delimited(const ProtobufCMessage *message);

/** Put the length, two bytes, before what was added since ${at}. */
void frame_since(size_t at);

/** What was put together is corpus/${what}/${name}. */
void save(const char *what, const char *name);
void save_text(const char *what, const char *name, const char *text);

/** What somebody wants to be told; both of a message and of a row. */
extern const Notify__Rules notice_rules;

/** What comes over the bus: seeds_messages.c. */
void seed_messages(void);

/** What lies in the databases and key files: seeds_rows.c. */
void seed_rows(void);

#endif
