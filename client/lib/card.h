#ifndef KEEPSAKE_CLIENT_CARD_H
#define KEEPSAKE_CLIENT_CARD_H

#include "account_keys.h"
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/seal.h"

/*
 * What a terminal keeps with a card's entry (D-09), sealed so that no
 * service reads it:
 *
 *   0x01  seal(card key, the data, associated data: 0x01  account  ICCID)
 *
 * The first byte says how it is made: data that begins with another one is
 * not by this program.
 */

#define CARD_SEALED      0x01
#define CARD_STORED_MAX  3500
#define CARD_EXTRA_BYTES (1 + SEAL_EXTRA_BYTES)
#define CARD_DATA_MAX    (CARD_STORED_MAX - CARD_EXTRA_BYTES)

/**
 * Seal ${data}.
 *
 * out  the caller's, to be cleared
 *
 * STATUS_OK         ${out} is filled
 * STATUS_TOO_LARGE  more than CARD_DATA_MAX bytes
 * STATUS_MALFORMED  no ICCID
 * STATUS_NO_SPACE   no memory
 */
enum status card_seal(struct bytes *out, const struct account_keys *keys,
    const char *iccid, struct slice data);

/**
 * Open what the server has.
 *
 * out  the caller's, to be cleared; untouched unless OK
 *
 * STATUS_OK         ${out} is the data
 * STATUS_VERSION    it was not made by card_seal, or by a later one
 * STATUS_MALFORMED  damaged, or of another card or account
 * STATUS_NO_SPACE   no memory
 */
enum status card_open(struct bytes *out, const struct account_keys *keys,
    const char *iccid, struct slice stored);

#endif
