/* What a sanitizer must know of MPI: nothing here is compiled otherwise.
 *
 * Open MPI unloads its components in MPI_Finalize, and what they never freed would then have no name that
 * a line of tests/sanitizers could suppress; so they stay loaded. Their code has no frame pointers either,
 * so stacks are walked the slow way. An allocation beyond all memory is a test's own and must fail as it
 * does elsewhere. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

int dlclose(void *handle);
__attribute__((visibility("default"))) int dlclose(void *handle)
{
  (void)handle;
  return 0;
}

#endif

#if defined(__SANITIZE_ADDRESS__)

const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
  return "allocator_may_return_null=1:fast_unwind_on_malloc=0:malloc_context_size=20";
}

#endif

#if defined(__SANITIZE_THREAD__)

const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
  return "allocator_may_return_null=1";
}

#endif

typedef int parcel_translation_unit_is_not_empty;
