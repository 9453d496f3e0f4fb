#ifndef KEEPSAKE_CRYPTO_SEAL_H
#define KEEPSAKE_CRYPTO_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * Sealing under a shared key: XChaCha20-Poly1305 with a random nonce,
 *
 *   nonce (24)  ciphertext (as long as the plaintext)  tag (16)
 *
 * Source: draft-irtf-cfrg-xchacha-03, as libsodium has it.
 */

#define SEAL_KEY_BYTES   32
#define SEAL_NONCE_BYTES 24
#define SEAL_TAG_BYTES   16
#define SEAL_EXTRA_BYTES (SEAL_NONCE_BYTES + SEAL_TAG_BYTES)

#define SEALED_BYTES(plain_len) ((plain_len) + SEAL_EXTRA_BYTES)

/**
 * Seal ${plain} under ${key}.
 *
 * out         the caller's, SEALED_BYTES(plain.len); not within ${plain}
 * associated  not sealed, but must be the same to open
 */
void seal(uint8_t *out, const uint8_t key[static SEAL_KEY_BYTES],
    struct slice plain, struct slice associated);

/**
 * Open what seal made.
 *
 * out  the caller's, sealed.len - SEAL_EXTRA_BYTES; not within ${sealed}
 *
 * STATUS_OK         ${out} is the plaintext
 * STATUS_MALFORMED  too short to be sealed at all; ${out} untouched
 * STATUS_DENIED     another key or associated data, or changed; nothing of
 *                   the plaintext is in ${out}
 */
enum status seal_open(uint8_t *out, const uint8_t key[static SEAL_KEY_BYTES],
    struct slice sealed, struct slice associated);

/**
 * To what length ${len} is padded before it is stored: the smallest
 * n * 4096 - 16, n at least 1, that holds it; see base/bounds.h.
 */
size_t seal_padded_len(size_t len);

#define KEY_BYTES 32

/**
 * Derive a key for one purpose: keyed BLAKE2b-256 over the text ${label},
 * a zero byte, and ${context}.  Another label or context, an unrelated key.
 */
void key_derive(uint8_t out[static KEY_BYTES],
    const uint8_t key[static KEY_BYTES], const char *label,
    struct slice context);

#endif
