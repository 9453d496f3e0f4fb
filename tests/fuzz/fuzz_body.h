#ifndef KEEPSAKE_TESTS_FUZZ_BODY_H
#define KEEPSAKE_TESTS_FUZZ_BODY_H

#include "auth.pb-c.h"
#include "binding.pb-c.h"
#include "common.pb-c.h"
#include "notify.pb-c.h"
#include "ops.pb-c.h"
#include "store.pb-c.h"

/* Every message that is a body.  The corpus has the index: append. */
static const ProtobufCMessageDescriptor *const body_types[] = {
	&common__status_report__descriptor,
	&auth__sealed__descriptor,
	&auth__register_begin__descriptor,
	&auth__register_challenge__descriptor,
	&auth__register_finish__descriptor,
	&auth__registered__descriptor,
	&auth__factors__descriptor,
	&auth__factor_list__descriptor,
	&auth__login_begin__descriptor,
	&auth__login_challenge__descriptor,
	&auth__login_finish__descriptor,
	&auth__login_done__descriptor,
	&auth__verification_begin__descriptor,
	&auth__verification_finish__descriptor,
	&auth__code_begin__descriptor,
	&auth__code_finish__descriptor,
	&auth__verification_query__descriptor,
	&auth__verification_answer__descriptor,
	&store__empty__descriptor,
	&store__lease__descriptor,
	&store__have__descriptor,
	&store__presence__descriptor,
	&store__put__descriptor,
	&store__publish__descriptor,
	&store__abandon__descriptor,
	&store__snapshot_query__descriptor,
	&store__snapshot_list__descriptor,
	&store__get__descriptor,
	&store__chunk__descriptor,
	&binding__bind__descriptor,
	&binding__bound__descriptor,
	&binding__terminal_list__descriptor,
	&binding__lookup__descriptor,
	&binding__lookup_answer__descriptor,
	&binding__terminals_of__descriptor,
	&notify__tell__descriptor,
	&notify__subscribed__descriptor,
	&notify__notice_list__descriptor,
	&notify__ack__descriptor,
	&ops__list_query__descriptor,
	&ops__list_page__descriptor,
	&ops__account_name__descriptor,
	&ops__account__descriptor,
	&ops__resend__descriptor,
	&ops__resent__descriptor,
	&common__orders__descriptor,
	&common__orders_kept__descriptor,
	&auth__session_list__descriptor,
	&auth__revoke__descriptor,
	&auth__revoked__descriptor,
	&auth__deregister__descriptor,
	&auth__deregistered__descriptor,
	&auth__terminal_gone__descriptor,
};

#endif
