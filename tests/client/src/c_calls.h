/* Calls of the C interface, made from C (c_calls.c). */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Each returns NULL, or a text that says what was not as expected. `progress` is INCIPIT_PROGRESS_... */
const char* CallStoreMatchLoad(const char* address, int progress);
const char* CallAsyncLoad(const char* address, int progress);
const char* CallTouchOfferRemoveStats(const char* address, int progress);
const char* CallWithCodec(const char* address, int progress);
const char* CallWithMistakes(const char* address);
const char* CallWithoutNode(void);
const char* CallSharedRegion(void);

#ifdef __cplusplus
}
#endif
