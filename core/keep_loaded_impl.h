/** @file
 *  Libraries that must not go before the process does. */
#ifndef PARCEL_KEEP_LOADED_IMPL_H
#define PARCEL_KEEP_LOADED_IMPL_H

/** Keeps every shared object that is loaded now until the process ends, whoever closes it. */
void parcel__keep_loaded(void);

#endif
