// Everything a program that links the library usually needs.
#pragma once

#include <headpond/batch.h>
#include <headpond/error.h>
#include <headpond/item.h>
#include <headpond/options.h>
#include <headpond/processor.h>
#include <headpond/queue.h>
#include <headpond/version.h>
