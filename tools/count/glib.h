// All that qemu-plugin.h takes from GLib: the names of two types. Saves installing its headers.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct GArray GArray;
typedef struct GByteArray GByteArray;
